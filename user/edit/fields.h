// The regular fields of a head while they are edited, and the rules that all edits obey: names compare without case,
// framing is never touched, nothing is written that a parser could read as something else.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::edit {

struct Field {
    std::string_view name;
    std::string_view value;
    bool never_index = false;
};

class FieldList {
public:
    // Null: none of that name.
    const Field* find(std::string_view lower_name) const;
    Field* find_last(std::string_view lower_name);
    void append(std::string_view name, std::string_view value, bool never_index = false);
    // One field of that name, in the place of the first (whose spelling stays), or at the end.
    void set(std::string_view lower_name, std::string_view value);
    void remove(std::string_view lower_name);
    // Keeps a text as long as the list lives.
    std::string_view own(std::string text) { return owned_.emplace_back(std::move(text)); }

    std::vector<Field> items;

private:
    std::deque<std::string> owned_;
};

bool same_name(std::string_view name, std::string_view lower_name);
// Framing and hop-by-hop fields, Host (it has its own policy) and pseudo-headers: no edit may add or touch them.
bool is_protected(std::string_view lower_name);
// Whether an edit may write this field.
bool may_write(std::string_view name, std::string_view value);
bool is_field_value(std::string_view value);

}  // namespace umbra::edit
