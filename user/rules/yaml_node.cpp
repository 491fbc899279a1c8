#include "rules/yaml_node.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace umbra::rules {

namespace {

constexpr std::array<std::string_view, 11> kTrue{"y",    "Y",    "yes", "Yes", "YES", "true",
                                                 "True", "TRUE", "on",  "On",  "ON"};
constexpr std::array<std::string_view, 11> kFalse{"n",     "N",     "no",  "No",  "NO", "false",
                                                  "False", "FALSE", "off", "Off", "OFF"};
constexpr std::array<std::string_view, 5> kNull{"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 6> kNotFinite{".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"};

template <std::size_t N>
bool is_in(const std::array<std::string_view, N>& words, std::string_view text) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

std::string_view without_sign(std::string_view text) {
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
    return text;
}

bool is_prefixed_integer(std::string_view text) {
    if (text.size() < 3 || text[0] != '0') return false;
    const std::string_view digits = text[1] == 'x' ? "0123456789abcdefABCDEF" : text[1] == 'o' ? "01234567" : "01";
    if (text[1] != 'x' && text[1] != 'o' && text[1] != 'b') return false;
    return text.find_first_not_of(digits, 2) == std::string_view::npos;
}

// Digits with an optional fraction and exponent; at least one digit before the exponent.
bool is_decimal(std::string_view text) {
    const auto exponent = text.find_first_of("eE");
    const auto mantissa = text.substr(0, exponent);
    if (exponent != std::string_view::npos && !all_digits(without_sign(text.substr(exponent + 1)))) return false;
    const auto point = mantissa.find('.');
    const auto whole = mantissa.substr(0, point);
    const auto fraction = point == std::string_view::npos ? std::string_view{} : mantissa.substr(point + 1);
    if (whole.empty() && fraction.empty()) return false;
    return (whole.empty() || all_digits(whole)) && (fraction.empty() || all_digits(fraction));
}

void emit(YAML::Emitter& out, const Node& node) {
    switch (node.kind) {
        case Node::Kind::map:
            out << YAML::BeginMap;
            for (const auto& member : node.members) {
                out << YAML::Key << member.key << YAML::Value;
                emit(out, member.value);
            }
            out << YAML::EndMap;
            return;
        case Node::Kind::list:
            out << YAML::BeginSeq;
            for (const auto& item : node.items) emit(out, item);
            out << YAML::EndSeq;
            return;
        case Node::Kind::null:
            out << YAML::Null;
            return;
        case Node::Kind::string:
            if (classify_plain(node.text) != Node::Kind::string) out << YAML::DoubleQuoted;
            [[fallthrough]];
        default:
            out << node.text;
    }
}

}  // namespace

const Member* Node::find(std::string_view key) const {
    const auto found = std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.key == key; });
    return found == members.end() ? nullptr : &*found;
}

const Node* Node::value(std::string_view key) const {
    const auto* member = find(key);
    return member && member->value.kind != Kind::null ? &member->value : nullptr;
}

bool Node::truth() const { return kind == Kind::boolean && is_in(kTrue, text); }

const char* kind_name(Node::Kind kind) {
    switch (kind) {
        case Node::Kind::null:
            return "nothing";
        case Node::Kind::boolean:
            return "a boolean";
        case Node::Kind::integer:
            return "an integer";
        case Node::Kind::real:
            return "a number";
        case Node::Kind::string:
            return "a string";
        case Node::Kind::list:
            return "a list";
        case Node::Kind::map:
            break;
    }
    return "a mapping";
}

Node::Kind classify_plain(std::string_view text) {
    if (is_in(kNull, text)) return Node::Kind::null;
    if (is_in(kTrue, text) || is_in(kFalse, text)) return Node::Kind::boolean;
    const auto number = without_sign(text);
    if (all_digits(number)) return number.size() > 1 && number[0] == '0' ? Node::Kind::real : Node::Kind::integer;
    if (is_prefixed_integer(number) || is_decimal(number) || is_in(kNotFinite, number)) return Node::Kind::real;
    return Node::Kind::string;
}

std::string to_yaml(const Node& node) {
    YAML::Emitter out;
    emit(out, node);
    return out.c_str();
}

}  // namespace umbra::rules
