// The fields that a MirrorPolicy may give for its rule's mirror and for each further one.
#pragma once

#include <string>

#include "rules/field_reader.h"
#include "rules/mirror_policy.h"

namespace umbra::rules {

// Each given field replaces all that it said in `options` before. rule_key: a marker's value when none is given.
void decode_mirror_options(const FieldReader& fields, const std::string& rule_key, MirrorOptions& options);

// What the fields together must fulfil. Reported where `fields` gives them, else where it stands.
void check_mirror_options(const FieldReader& fields, Protocol protocol, const MirrorOptions& options);

}  // namespace umbra::rules
