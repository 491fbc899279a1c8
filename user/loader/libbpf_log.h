// libbpf's messages in Umbra's log, one level down: what libbpf calls a warning is information here, since the caller
// reports the failure itself.
#pragma once

namespace umbra::loader {

void route_libbpf_log();

}  // namespace umbra::loader
