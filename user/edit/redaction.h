// Redaction: secrets that the mirror must not see, in fields and in the parameters of a target's query.
// A query is split at '&' and '='; a parameter's name is compared decoded (percent-encoding, '+' as itself or a space).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edit/fields.h"
#include "rules/mirror_settings.h"

namespace umbra::edit {

// "sha256:" and the first 16 hex digits: equal for equal secrets.
std::string secret_digest(std::string_view secret);

const rules::RedactedItem* find_item(const std::vector<rules::RedactedItem>& items, std::string_view name);
void redact_fields(FieldList& fields, const std::vector<rules::RedactedItem>& items);
// A target in origin or absolute form. Nothing: no parameter of it is redacted.
std::optional<std::string> redact_query(std::string_view target, const std::vector<rules::RedactedItem>& items);

}  // namespace umbra::edit
