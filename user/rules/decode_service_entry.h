// A ServiceEntry (networking.istio.io) to values, strictly: it is written by hand and describes hosts outside of
// Kubernetes, so a misspelt field would silently lose endpoints.
#pragma once

#include "rules/field_reader.h"
#include "rules/registry_objects.h"

namespace umbra::rules {

ServiceEntry decode_service_entry(const DecodeContext& context, const Node& document);

}  // namespace umbra::rules
