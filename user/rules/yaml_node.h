// Node: one YAML value with its position, scalars already typed by YAML's plain-scalar rules. A tree of values
// that owns everything below it. What a value means is not known here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/diagnostic.h"

namespace umbra::rules {

struct Member;

struct Node {
    enum class Kind : std::uint8_t { null, boolean, integer, real, string, list, map };

    Kind kind = Kind::null;
    Position at;
    std::string text;             // of scalars, as written
    std::vector<Node> items;      // of lists
    std::vector<Member> members;  // of maps, in the order written, no key twice

    bool is_scalar() const { return kind != Kind::list && kind != Kind::map; }
    // Null when the map has no such key, or when this is no map.
    const Member* find(std::string_view key) const;
    // The value of a key; null when absent or YAML null.
    const Node* value(std::string_view key) const;
    bool truth() const;  // of booleans
};

struct Member {
    std::string key;
    Position at;
    Node value;
};

const char* kind_name(Node::Kind kind);

// What an unquoted scalar is: YAML 1.1 as kubectl reads it, so "yes" and "on" are booleans.
Node::Kind classify_plain(std::string_view text);

// The value as YAML text, for objects that were part of a larger document.
std::string to_yaml(const Node& node);

}  // namespace umbra::rules
