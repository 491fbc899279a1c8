// The fields of a MirrorPolicy that change a copy's headers: headers, requestId, marker, redact.
#pragma once

#include <optional>
#include <string>

#include "rules/field_reader.h"
#include "rules/mirror_settings.h"

namespace umbra::rules {

// Where the name of a header is written.
struct WrittenName {
    const FieldReader& fields;
    std::string text;
    Position at;
    std::string path;
};

// In lower case; nothing for what is no field name (RFC 9110, 5.1), which is reported.
std::optional<std::string> decode_header_name(const WrittenName& written);

// Each given field replaces all that it said in `settings` before. rule_key: a marker's value when none is given.
void decode_header_edits(const FieldReader& fields, const std::string& rule_key, MirrorSettings& settings);

}  // namespace umbra::rules
