// Decoding and checking of service references (IstioService) and labels.
#pragma once

#include "rules/field_reader.h"
#include "rules/route_rule.h"

namespace umbra::rules {

ServiceRef decode_service_ref(const FieldReader& fields);
// The same where other fields may stand beside it.
ServiceRef read_service_ref(const FieldReader& fields);
// The map `labels` of a mapping, keys and values checked.
Labels decode_labels(const FieldReader& fields);

}  // namespace umbra::rules
