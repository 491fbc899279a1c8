// FieldReader: typed access to the fields of one mapping; every wrong type is reported with path and position, and
// reading goes on. It borrows the node and the diagnostics. What the values mean is checked by its callers.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/diagnostic.h"
#include "rules/yaml_node.h"

namespace umbra::rules {

struct DecodeContext {
    std::string file;
    Diagnostics& diagnostics;
    std::string ns = "default";  // of objects that name none
};

// "PATH.KEY", or PATH["KEY"] for keys with other characters.
std::string field_path(const std::string& path, std::string_view key);

class FieldReader {
public:
    struct Text {
        std::string value;
        Position at;
        std::string path;
    };

    // Reports when the node is no mapping; it then reads as an empty one.
    FieldReader(const DecodeContext& context, const Node& node, std::string path);

    // Reports every other key. Names are camelCase; their snake_case form is the same field.
    void allow_only(std::initializer_list<std::string_view> names) const;

    bool has(std::string_view name) const { return get(name) != nullptr; }
    // Null when absent or empty.
    const Node* get(std::string_view name) const;
    bool is_map() const { return is_map_; }
    Position at() const { return node_->at; }
    Position at(std::string_view name) const;
    const std::string& path() const { return path_; }
    std::string path(std::string_view name) const;
    const Node& node() const { return *node_; }
    const DecodeContext& context() const { return *context_; }

    std::optional<std::string> text(std::string_view name) const;
    std::optional<bool> boolean(std::string_view name) const;
    std::optional<std::int64_t> integer(std::string_view name, std::int64_t least, std::int64_t most) const;
    std::optional<double> number(std::string_view name) const;
    std::optional<std::chrono::nanoseconds> duration(std::string_view name) const;
    std::optional<FieldReader> message(std::string_view name) const;
    std::vector<FieldReader> messages(std::string_view name) const;
    std::vector<Text> texts(std::string_view name) const;
    std::map<std::string, std::string> text_map(std::string_view name) const;

    void error(std::string_view name, std::string message, std::string hint = {}) const;
    void warn(std::string_view name, std::string message, std::string hint = {}) const;
    void error_here(std::string message, std::string hint = {}) const;
    void report(Severity severity, Position where, std::string path, std::string message, std::string hint = {}) const;

private:
    const Member* member(std::string_view name) const;
    const Node* expect(std::string_view name, Node::Kind kind) const;
    void wrong_type(const Node& node, std::string path, std::string_view wanted) const;

    const DecodeContext* context_;
    const Node* node_;
    std::string path_;
    bool is_map_ = true;
};

}  // namespace umbra::rules
