#include "protocol/http2_head.h"

#include <algorithm>
#include <charconv>

namespace umbra {

void to_request_head(std::span<const HeaderField> fields, RequestHead& out) {
    auto headers = std::move(out.headers);
    headers.clear();
    out = {};
    out.version_major = 2;
    out.version_minor = 0;
    for (const HeaderField& field : fields) {
        if (field.name == ":method") {
            out.method = field.value;
        } else if (field.name == ":path") {
            out.target = field.value;
        } else if (field.name == ":authority") {
            out.authority = field.value;
        } else if (field.name == ":scheme") {
            out.scheme = field.value;
        } else if (!field.name.starts_with(':')) {
            headers.emplace_back(field.name, field.value);
        }
    }
    out.headers = std::move(headers);
}

std::optional<std::uint64_t> content_length(const RequestHead& head, std::span<const HeaderField> fields) {
    const auto named = [&](std::string_view name) {
        return std::ranges::find_if(fields, [&](const HeaderField& field) { return field.name == name; });
    };
    const auto found = named("content-length");
    if (found == fields.end() || (head.method == "CONNECT" && named(":protocol") == fields.end())) return std::nullopt;
    std::uint64_t value = 0;
    std::from_chars(found->value.data(), found->value.data() + found->value.size(), value);
    return value;
}

}  // namespace umbra
