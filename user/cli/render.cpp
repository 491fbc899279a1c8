#include "cli/render.h"

#include <cap-ng.h>
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>

namespace umbra::cli {

namespace {

using control::Json;

constexpr std::size_t kGap = 2;

// Characters, not bytes.
std::size_t length(const std::string& text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string cut(const std::string& text, std::size_t width) {
    if (width == 0 || length(text) <= width) return text;
    std::size_t bytes = 0, characters = 0;
    for (; bytes < text.size(); ++bytes) {
        if ((text[bytes] & 0xc0) != 0x80 && ++characters == width) break;
    }
    return text.substr(0, bytes) + "…";
}

void emit(YAML::Emitter& out, const Json& value) {
    if (value.is_object()) {
        out << YAML::BeginMap;
        for (const auto& [key, item] : value.items()) {
            out << YAML::Key << key << YAML::Value;
            emit(out, item);
        }
        out << YAML::EndMap;
    } else if (value.is_array()) {
        out << YAML::BeginSeq;
        for (const Json& item : value) emit(out, item);
        out << YAML::EndSeq;
    } else if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        if (text.empty()) out << YAML::DoubleQuoted;
        out << text;
    } else {
        out << value.dump();
    }
}

}  // namespace

std::vector<std::size_t> Table::widths() const {
    std::vector<std::size_t> result;
    for (const Column& column : columns_) result.push_back(length(column.head));
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) result[i] = std::max(result[i], length(row[i]));
    }
    return result;
}

std::string Table::text(std::size_t indent, std::size_t width) const {
    const auto sizes = widths();
    std::vector<std::string> head;
    for (const Column& column : columns_) head.push_back(column.head);
    std::string out;
    const auto add_line = [&](const std::vector<std::string>& cells) {
        std::string line(indent, ' ');
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const std::string padding(sizes[i] - length(cells[i]), ' ');
            if (i > 0) line.append(kGap, ' ');
            line += columns_[i].align == Align::right ? padding + cells[i] : cells[i] + padding;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += cut(line, width) + "\n";
    };
    if (std::ranges::any_of(head, [](const std::string& text) { return !text.empty(); })) add_line(head);
    for (const auto& row : rows_) add_line(row);
    return out;
}

std::string with_thousands(std::int64_t number) {
    std::string text = std::to_string(number);
    const std::size_t first = number < 0 ? 1 : 0;
    for (std::size_t at = text.size(); at > first + 3;) text.insert(at -= 3, ",");
    return text;
}

std::string size_text(std::uint64_t bytes) {
    constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    auto size = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; size >= 1024 && unit + 1 < std::size(kUnits); ++unit) size /= 1024;
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", size, kUnits[unit]);
}

std::string capability_names(const std::string& hex) {
    const std::uint64_t set = std::strtoull(hex.c_str(), nullptr, 16);
    if (set == 0) return "none";
    std::string names;
    for (unsigned capability = 0; capability < 64; ++capability) {
        if ((set >> capability & 1) == 0) continue;
        const char* name = ::capng_capability_to_name(capability);
        names += (names.empty() ? "" : ",") + (name ? std::string(name) : std::to_string(capability));
    }
    return names;
}

std::string as_json(const Json& value) { return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string as_yaml(const Json& value) {
    YAML::Emitter out;
    emit(out, value);
    return std::string(out.c_str()) + "\n";
}

const Json& part(const Json& object, const char* name) {
    static const Json kNone;
    if (!object.is_object()) return kNone;
    const auto found = object.find(name);
    return found == object.end() ? kNone : *found;
}

std::string field(const Json& object, const char* name) {
    const Json& value = part(object, name);
    if (value.is_string()) return value.get<std::string>();
    return value.is_null() ? "" : value.dump();
}

std::int64_t number(const Json& object, const char* name) {
    const Json& value = part(object, name);
    return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

}  // namespace umbra::cli
