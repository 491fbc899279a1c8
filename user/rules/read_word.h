// Reading a field that takes one of a few words.
#pragma once

#include <string>

#include "rules/enum_names.h"
#include "rules/field_reader.h"
#include "rules/suggest.h"

namespace umbra::rules {

// `value` stays as it was when the field is absent or wrong, which is reported.
template <class Enum, std::size_t N>
void read_word(const FieldReader& fields, std::string_view name, const EnumNames<Enum, N>& names, Enum& value) {
    const auto word = fields.text(name);
    if (!word) return;
    if (const auto found = names.find(*word)) {
        value = *found;
        return;
    }
    auto hint = did_you_mean(*word, names.words);
    if (hint.empty()) {
        for (const auto known : names.words) hint += (hint.empty() ? "one of " : ", ") + std::string(known);
    }
    fields.error(name, "'" + *word + "' is not known here", std::move(hint));
}

}  // namespace umbra::rules
