// The fields of a RouteRule that only a proxy in the path can enforce: validated, warned about, then ignored.
#pragma once

#include "rules/field_reader.h"

namespace umbra::rules {

// spec: the rule's specification. One warning for each such field.
void check_proxy_fields(const FieldReader& spec);
// For names of headers: non-empty and lower case.
bool is_header_name(std::string_view name);

}  // namespace umbra::rules
