// Text for people and JSON as YAML. Knows widths, not what it prints.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "control/message.h"

namespace umbra::cli {

inline constexpr std::size_t kTextWidth = 100;

// Aligned columns with a head. Lines longer than the width are cut in their last column.
class Table {
public:
    enum class Align : std::uint8_t { left, right };
    struct Column {
        std::string head;
        Align align = Align::left;
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    bool empty() const { return rows_.empty(); }
    // width 0: not cut.
    std::string text(std::size_t indent = 0, std::size_t width = kTextWidth) const;

private:
    std::vector<std::size_t> widths() const;

    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

std::string with_thousands(std::int64_t number);       // "1,234,567"
std::string size_text(std::uint64_t bytes);            // "1.5 MiB"
std::string capability_names(const std::string& hex);  // "net_admin,bpf", "none"

// "json" and "yaml" of anything.
std::string as_json(const control::Json& value);
std::string as_yaml(const control::Json& value);

// A field of an object as text; empty if absent.
std::string field(const control::Json& object, const char* name);
// A field of an object as a number; 0 if absent.
std::int64_t number(const control::Json& object, const char* name);
// A field of an object; null if absent.
const control::Json& part(const control::Json& object, const char* name);

}  // namespace umbra::cli
