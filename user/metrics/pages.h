// What the exporter serves: /metrics, /healthz and /readyz.
#pragma once

#include "metrics/agent_reader.h"
#include "metrics/http_message.h"

namespace umbra::metrics {

// The reader outlives the handler.
HttpHandler make_pages(AgentReader& reader);

}  // namespace umbra::metrics
