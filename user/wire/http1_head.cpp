#include "wire/http1_head.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace umbra::wire {

namespace {

constexpr std::array<bool, 256> token_table() {
    std::array<bool, 256> table{};
    for (int c = '0'; c <= '9'; ++c) table[c] = true;
    for (int c = 'a'; c <= 'z'; ++c) table[c] = table[c - 'a' + 'A'] = true;
    for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
    return table;
}
constexpr auto kToken = token_table();

bool equals(std::string_view text, std::string_view lower) {
    return text.size() == lower.size() && ::strncasecmp(text.data(), lower.data(), lower.size()) == 0;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool all(std::string_view text, bool (*accept)(char)) { return std::all_of(text.begin(), text.end(), accept); }

bool is_target_char(char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7f; }

// Takes the next line without its CRLF. The caller made sure that every LF follows a CR and that one is left.
std::string_view next_line(std::string_view& rest) {
    const std::size_t lf = rest.find('\n');
    const std::string_view line = rest.substr(0, lf - 1);
    rest.remove_prefix(lf + 1);
    return line;
}

HttpFault check_request_line(std::string_view line, Http1Head& out) {
    if (line.find('\r') != line.npos || line.find('\0') != line.npos) return HttpFault::ambiguous;
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == line.npos || first == last) return HttpFault::invalid;
    out.method = line.substr(0, first);
    out.target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (out.method.empty() || !all(out.method, is_token_char)) return HttpFault::invalid;
    if (out.target.empty() || !all(out.target, is_target_char)) return HttpFault::invalid;
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return HttpFault::invalid;
    out.version_minor = version.back() == '1' ? 1 : 0;
    return HttpFault::none;
}

HttpFault check_field_line(std::string_view line, Http1Head& out) {
    if (line.front() == ' ' || line.front() == '\t') return HttpFault::ambiguous;
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == line.npos) {
        return line.find('\r') != line.npos ? HttpFault::ambiguous : HttpFault::invalid;
    }
    const std::string_view name = line.substr(0, colon);
    if (!all(name, is_token_char)) {
        return name.find_first_of(std::string_view(" \t\r\0", 4)) != name.npos ? HttpFault::ambiguous
                                                                               : HttpFault::invalid;
    }
    const std::string_view value = line.substr(colon + 1);
    if (!all(value, is_field_value_char)) {
        return value.find_first_of(std::string_view("\r\0", 2)) != value.npos ? HttpFault::ambiguous
                                                                              : HttpFault::invalid;
    }
    out.headers.emplace_back(name, trim(value));
    return HttpFault::none;
}

HttpFault read_content_length(std::string_view value, Http1Head& out) {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out.content_length);
    const bool whole = error == std::errc{} && end == value.data() + value.size();
    return whole && out.content_length <= kMost ? HttpFault::none : HttpFault::ambiguous;
}

// Adds what a Connection field says.
struct ConnectionTokens {
    bool close = false, keep_alive = false, upgrade = false;

    void read(std::string_view value) {
        while (!value.empty()) {
            const std::size_t comma = std::min(value.find(','), value.size());
            const std::string_view token = trim(value.substr(0, comma));
            close |= equals(token, "close");
            keep_alive |= equals(token, "keep-alive");
            upgrade |= equals(token, "upgrade");
            value.remove_prefix(std::min(comma + 1, value.size()));
        }
    }
};

void read_connection(Http1Head& out) {
    ConnectionTokens tokens;
    bool names_protocol = false;
    for (const auto& [name, value] : out.headers) {
        if (equals(name, "connection")) tokens.read(value);
        names_protocol |= equals(name, "upgrade");
    }
    out.close = tokens.close || (out.version_minor == 0 && !tokens.keep_alive);
    out.upgrade = (tokens.upgrade && names_protocol) || out.method == "CONNECT";
}

HttpFault check_framing(Http1Head& out) {
    unsigned lengths = 0, codings = 0, hosts = 0;
    for (const auto& [name, value] : out.headers) {
        if (equals(name, "content-length")) {
            if (++lengths > 1 || read_content_length(value, out) != HttpFault::none) return HttpFault::ambiguous;
        } else if (equals(name, "transfer-encoding")) {
            if (++codings > 1 || !equals(value, "chunked")) return HttpFault::ambiguous;
        } else if (equals(name, "host") && ++hosts > 1) {
            return HttpFault::ambiguous;
        }
    }
    if (codings && (lengths || out.version_minor == 0)) return HttpFault::ambiguous;
    if (out.method == "CONNECT" && (codings || lengths)) return HttpFault::ambiguous;
    if (codings) out.body = BodyKind::chunked;
    if (out.content_length > 0) out.body = BodyKind::length;
    return HttpFault::none;
}

}  // namespace

bool is_token_char(char c) { return kToken[static_cast<unsigned char>(c)]; }

bool is_field_value_char(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= ' ' ? byte != 0x7f : byte == '\t';
}

HeadEnd::Found HeadEnd::scan(std::string_view piece) {
    std::size_t at = 0;
    while (at < piece.size()) {
        const void* lf = std::memchr(piece.data() + at, '\n', piece.size() - at);
        if (!lf) break;
        const std::size_t i = static_cast<std::size_t>(static_cast<const char*>(lf) - piece.data());
        const bool after_cr = i > 0 ? piece[i - 1] == '\r' : last_was_cr_;
        if (!after_cr) return {std::nullopt, HttpFault::ambiguous};
        const bool empty_line = line_bytes_ + (i - at) == 1;
        line_bytes_ = 0;
        at = i + 1;
        last_was_cr_ = false;
        if (empty_line && inside_) return {at, HttpFault::none};
        inside_ |= !empty_line;
    }
    if (at < piece.size()) {
        line_bytes_ += piece.size() - at;
        last_was_cr_ = piece.back() == '\r';
    }
    return {};
}

HttpFault check_head(std::string_view head, Http1Head& out) {
    out.headers.clear();
    out.body = BodyKind::none;
    out.content_length = 0;
    while (head.substr(0, 2) == "\r\n") head.remove_prefix(2);
    HttpFault fault = check_request_line(next_line(head), out);
    while (fault == HttpFault::none) {
        const std::string_view line = next_line(head);
        if (line.empty()) {
            read_connection(out);
            return check_framing(out);
        }
        fault = check_field_line(line, out);
    }
    return fault;
}

}  // namespace umbra::wire
