#include "rules/field_reader.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include "rules/duration.h"
#include "rules/suggest.h"

namespace umbra::rules {

namespace {

const Node kEmpty;

std::string snake_case(std::string_view camel) {
    std::string snake;
    for (const char c : camel) {
        const bool upper = std::isupper(static_cast<unsigned char>(c)) != 0;
        if (upper) snake += '_';
        snake += upper ? static_cast<char>(std::tolower(static_cast<unsigned char>(c))) : c;
    }
    return snake;
}

std::string index_path(const std::string& path, std::size_t index) { return path + "[" + std::to_string(index) + "]"; }

// Fields of later APIs and of other levels that people look for here.
std::string field_hint(std::string_view key, std::span<const std::string_view> names) {
    auto close = did_you_mean(key, names);
    if (!close.empty()) return close;
    if (key == "mirrorPercentage" || key == "mirror_percent" || key == "mirrors" || key == "percent") {
        return "a RouteRule has one mirror and mirrors all that it matches; a MirrorPolicy (umbra.dev/v1alpha1) says "
               "more";
    }
    std::string list;
    for (const auto name : names) list += (list.empty() ? "" : ", ") + std::string(name);
    return list.empty() ? "no field is known here" : "known here: " + list;
}

}  // namespace

std::string field_path(const std::string& path, std::string_view key) {
    const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '_' || c == '-' || c == '@';
    });
    if (!plain) return path + "[\"" + std::string(key) + "\"]";
    return path.empty() ? std::string(key) : path + "." + std::string(key);
}

FieldReader::FieldReader(const DecodeContext& context, const Node& node, std::string path)
    : context_(&context), node_(&node), path_(std::move(path)), is_map_(node.kind == Node::Kind::map) {
    if (!is_map_) wrong_type(node, path_, "a mapping");
}

void FieldReader::allow_only(std::initializer_list<std::string_view> names) const {
    const std::span<const std::string_view> known(names.begin(), names.size());
    for (const auto& entry : node_->members) {
        const bool found = std::any_of(names.begin(), names.end(), [&](std::string_view name) {
            return entry.key == name || entry.key == snake_case(name);
        });
        if (!found) {
            report(Severity::error, entry.at, field_path(path_, entry.key), "unknown field",
                   field_hint(entry.key, known));
        } else if (entry.value.kind == Node::Kind::null) {
            report(Severity::warning, entry.at, field_path(path_, entry.key), "has no value and counts as not given",
                   "check the indentation of the lines below it");
        }
    }
    for (const auto name : names) {
        const auto snake = snake_case(name);
        const auto* again = snake == name ? nullptr : node_->find(snake);
        if (again && node_->find(name)) {
            report(Severity::error, again->at, field_path(path_, snake),
                   "given twice, also as '" + std::string(name) + "'", "keep one of the two");
        }
    }
}

const Member* FieldReader::member(std::string_view name) const {
    const auto* found = node_->find(name);
    return found ? found : node_->find(snake_case(name));
}

const Node* FieldReader::get(std::string_view name) const {
    const auto* found = member(name);
    return found && found->value.kind != Node::Kind::null ? &found->value : nullptr;
}

Position FieldReader::at(std::string_view name) const {
    const auto* found = member(name);
    return found ? found->at : node_->at;
}

std::string FieldReader::path(std::string_view name) const {
    const auto* found = member(name);
    return field_path(path_, found ? std::string_view(found->key) : name);
}

void FieldReader::report(Severity severity, Position where, std::string path, std::string message,
                         std::string hint) const {
    context_->diagnostics.add(severity, {context_->file, where}, std::move(path), std::move(message), std::move(hint));
}

void FieldReader::error(std::string_view name, std::string message, std::string hint) const {
    report(Severity::error, at(name), path(name), std::move(message), std::move(hint));
}

void FieldReader::warn(std::string_view name, std::string message, std::string hint) const {
    report(Severity::warning, at(name), path(name), std::move(message), std::move(hint));
}

void FieldReader::error_here(std::string message, std::string hint) const {
    report(Severity::error, at(), path_, std::move(message), std::move(hint));
}

void FieldReader::wrong_type(const Node& node, std::string path, std::string_view wanted) const {
    std::string hint;
    if (wanted == "a string" && node.is_scalar()) hint = "put it in quotes: \"" + node.text + "\"";
    if (wanted != "a string" && wanted != "a mapping" && node.kind == Node::Kind::string) {
        const auto plain = classify_plain(node.text);
        if (plain != Node::Kind::string && plain != Node::Kind::null) hint = "write it without quotes";
    }
    report(Severity::error, node.at, std::move(path),
           "must be " + std::string(wanted) + ", this is " + kind_name(node.kind), std::move(hint));
}

const Node* FieldReader::expect(std::string_view name, Node::Kind kind) const {
    const auto* node = get(name);
    if (!node || node->kind == kind) return node;
    wrong_type(*node, path(name), kind_name(kind));
    return nullptr;
}

std::optional<std::string> FieldReader::text(std::string_view name) const {
    const auto* node = expect(name, Node::Kind::string);
    return node ? std::optional(node->text) : std::nullopt;
}

std::optional<bool> FieldReader::boolean(std::string_view name) const {
    const auto* node = expect(name, Node::Kind::boolean);
    return node ? std::optional(node->truth()) : std::nullopt;
}

std::optional<std::int64_t> FieldReader::integer(std::string_view name, std::int64_t least, std::int64_t most) const {
    const auto* node = expect(name, Node::Kind::integer);
    if (!node) return std::nullopt;
    std::string_view digits = node->text;
    if (digits.front() == '+') digits.remove_prefix(1);
    std::int64_t value = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (failure == std::errc{} && value >= least && value <= most) return value;
    report(Severity::error, node->at, path(name),
           node->text + " is not in range " + std::to_string(least) + ".." + std::to_string(most));
    return std::nullopt;
}

std::optional<double> FieldReader::number(std::string_view name) const {
    const auto* node = get(name);
    if (!node) return std::nullopt;
    if (node->kind != Node::Kind::integer && node->kind != Node::Kind::real) {
        wrong_type(*node, path(name), "a number");
        return std::nullopt;
    }
    char* end = nullptr;
    const double value = std::strtod(node->text.c_str(), &end);
    if (*end == '\0') return value;
    wrong_type(*node, path(name), "a decimal number");
    return std::nullopt;
}

std::optional<std::chrono::nanoseconds> FieldReader::duration(std::string_view name) const {
    const auto* node = expect(name, Node::Kind::string);
    if (!node) return std::nullopt;
    const auto value = parse_duration(node->text);
    if (!value) {
        report(Severity::error, node->at, path(name), "'" + node->text + "' is not a duration",
               "write a number and a unit: 1h, 1m, 1s, 1ms, or a sum such as 1m30s");
    }
    return value;
}

std::optional<FieldReader> FieldReader::message(std::string_view name) const {
    const auto* node = expect(name, Node::Kind::map);
    return node ? std::optional(FieldReader(*context_, *node, path(name))) : std::nullopt;
}

std::vector<FieldReader> FieldReader::messages(std::string_view name) const {
    std::vector<FieldReader> result;
    const auto* node = expect(name, Node::Kind::list);
    if (!node) return result;
    for (std::size_t i = 0; i < node->items.size(); ++i) {
        FieldReader item(*context_, node->items[i], index_path(path(name), i));
        if (item.is_map()) result.push_back(std::move(item));
    }
    return result;
}

std::vector<FieldReader::Text> FieldReader::texts(std::string_view name) const {
    std::vector<Text> result;
    const auto* node = expect(name, Node::Kind::list);
    if (!node) return result;
    for (std::size_t i = 0; i < node->items.size(); ++i) {
        const auto& item = node->items[i];
        auto item_path = index_path(path(name), i);
        if (item.kind == Node::Kind::string) {
            result.push_back({item.text, item.at, std::move(item_path)});
        } else {
            wrong_type(item, std::move(item_path), "a string");
        }
    }
    return result;
}

std::map<std::string, std::string> FieldReader::text_map(std::string_view name) const {
    std::map<std::string, std::string> result;
    const auto* node = expect(name, Node::Kind::map);
    if (!node) return result;
    for (const auto& entry : node->members) {
        if (entry.value.kind == Node::Kind::string) {
            result[entry.key] = entry.value.text;
        } else {
            wrong_type(entry.value, field_path(path(name), entry.key), "a string");
        }
    }
    return result;
}

}  // namespace umbra::rules
