// The exporter process: serves the agent's metrics and probes over HTTP until SIGTERM or SIGINT.
#pragma once

#include <string>

#include "base/result.h"

namespace umbra::metrics {

inline constexpr const char* kDefaultListen = "127.0.0.1:9464";

struct ExporterOptions {
    std::string listen = kDefaultListen;  // ADDR:PORT
    std::string socket;                   // the agent's control socket
};

// Blocks. Of the calling process, for good: no new privileges, no core files, not dumpable. Fails if the address is
// none or cannot be listened on; an agent that does not answer is what the probes report.
Result<void> run_exporter(const ExporterOptions& options);

}  // namespace umbra::metrics
