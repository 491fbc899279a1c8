#include "protocol/detect.h"

#include <algorithm>

namespace umbra {

namespace {

constexpr std::size_t kMaxMethod = 24;

bool is_method_char(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; }

// A TLS record header of a handshake, then the type ClientHello.
Detection detect_tls(std::string_view first) {
    constexpr std::size_t kType = 5;
    if (first.size() > 1 && first[1] != 3) return Detection::raw;
    if (first.size() > 2 && static_cast<unsigned char>(first[2]) > 4) return Detection::raw;
    if (first.size() <= kType) return Detection::need_more;
    return first[kType] == 1 ? Detection::tls : Detection::raw;
}

Detection detect_line(std::string_view line) {
    if (line.starts_with("PRI * HTTP/2.0")) return Detection::http2;
    return line.find(" HTTP/") != line.npos ? Detection::http1 : Detection::raw;
}

// "HTTP/1.x NNN": the first digit of the status, or 0.
char status_class(std::string_view prefix) {
    constexpr std::size_t kStatus = 9;
    if (prefix.size() < kStatus + 3 || !prefix.starts_with("HTTP/1.") || prefix[kStatus - 1] != ' ') return 0;
    const std::string_view status = prefix.substr(kStatus, 3);
    const bool digits = std::all_of(status.begin(), status.end(), [](char c) { return c >= '0' && c <= '9'; });
    const bool ends = prefix.size() == kStatus + 3 || prefix[kStatus + 3] == ' ' || prefix[kStatus + 3] == '\r';
    return digits && ends ? status.front() : '\0';
}

}  // namespace

Detection detect(std::string_view first, std::size_t max_line) {
    if (first.empty()) return Detection::need_more;
    if (first.front() == 0x16) return detect_tls(first);
    std::string_view line = first;
    while (line.starts_with("\r\n")) line.remove_prefix(2);
    if (line.empty() || line == "\r") return first.size() < max_line ? Detection::need_more : Detection::raw;
    const auto end = std::find_if_not(line.begin(), line.end(), is_method_char);
    const auto length = static_cast<std::size_t>(end - line.begin());
    if (length == 0 || length > kMaxMethod) return Detection::raw;
    if (end == line.end()) return Detection::need_more;
    if (*end != ' ') return Detection::raw;
    const std::size_t lf = line.substr(0, max_line).find('\n');
    if (lf != line.npos) return detect_line(line.substr(0, lf));
    return first.size() < max_line ? Detection::need_more : Detection::http1;
}

bool begins_final_response(std::string_view prefix) {
    const char status = status_class(prefix);
    return status >= '2' && status <= '5';
}

bool begins_success(std::string_view prefix) { return status_class(prefix) == '2'; }

bool begins_switch(std::string_view prefix) { return status_class(prefix) == '1' && prefix.substr(9, 3) == "101"; }

bool begins_response(std::string_view prefix) { return status_class(prefix) != 0; }

}  // namespace umbra
