// Kubernetes objects to values. Fields that Umbra does not read are ignored, those it reads are checked.
#pragma once

#include "rules/field_reader.h"
#include "rules/registry_objects.h"

namespace umbra::rules {

Service decode_service(const DecodeContext& context, const Node& document);
Pod decode_pod(const DecodeContext& context, const Node& document);
EndpointSlice decode_endpoint_slice(const DecodeContext& context, const Node& document);

// A list of addresses as text; reports those that are none.
std::vector<IpAddress> decode_addresses(const FieldReader& fields, std::string_view name);

}  // namespace umbra::rules
