#include "metrics/fields.h"

#include <charconv>

namespace umbra::metrics {

namespace {

std::optional<double> parse(const std::string& figures) {
    double value = 0;
    const char* end = figures.data() + figures.size();
    const auto [stop, error] = std::from_chars(figures.data(), end, value);
    return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

}  // namespace

const Json& part(const Json& object, const char* name) {
    static const Json absent;
    if (!object.is_object()) return absent;
    const auto found = object.find(name);
    return found == object.end() ? absent : *found;
}

std::string text(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    return value.is_number() ? value.dump() : "";
}

std::optional<double> number(const Json& value) {
    if (value.is_number()) return value.get<double>();
    if (value.is_boolean()) return value.get<bool>() ? 1.0 : 0.0;
    return value.is_string() ? parse(value.get_ref<const std::string&>()) : std::nullopt;
}

void add_fields(Families& families, std::span<const Field> table, const Json& object, const Labels& labels) {
    for (const Field& field : table) {
        if (const auto value = number(part(object, field.name))) families.add(field.metric, labels, *value);
    }
}

void add_info(Families& families, const Metric& metric, const Labels& labels) { families.add(metric, labels, 1); }

}  // namespace umbra::metrics
