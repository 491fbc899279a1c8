// What a server packet teaches about its flow: the cumulative ACK, the window, where the server began to answer,
// FIN and RST. Changes the flow's server fields and marks only.
#pragma once

#include "flow/segment.h"
#include "reassembly/flow.h"
#include "reassembly/reassembly_shared.h"

namespace umbra {

void learn_from_server(Flow& flow, const ServerHeader& header, ReassemblyShared& shared);

}  // namespace umbra
