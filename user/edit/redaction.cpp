#include "edit/redaction.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <new>

namespace umbra::edit {

namespace {

using rules::RedactedItem;

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::size_t kDigestBytes = 8;

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// What is not a percent-encoded byte stays as it is.
std::string decode(std::string_view text, bool plus_is_space) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool encoded =
            text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
        if (encoded) {
            out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            out += plus_is_space && text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

bool is_unreserved(char c) {
    const char lower = static_cast<char>(c | 0x20);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
}

std::string encode(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (is_unreserved(c)) {
            out += c;
        } else {
            out += '%';
            out += kHexDigits[static_cast<unsigned char>(c) >> 4];
            out += kHexDigits[static_cast<unsigned char>(c) & 15];
        }
    }
    return out;
}

const RedactedItem* find_parameter(const std::vector<RedactedItem>& items, std::string_view name) {
    // A name may be written percent-encoded on both sides.
    const std::string plain = decode(name, false), form = decode(name, true);
    const auto is_meant = [&](const RedactedItem& item) {
        if (item.name == plain || item.name == form) return true;
        const std::string meant = decode(item.name, false);
        return meant == plain || meant == form;
    };
    const auto found = std::find_if(items.begin(), items.end(), is_meant);
    return found == items.end() ? nullptr : &*found;
}

// Appends what is left of one parameter with its separator.
void redact_parameter(std::string_view parameter, const RedactedItem& item, std::string& out) {
    if (item.action == RedactedItem::Action::drop) return;
    out += '&';
    const std::size_t equals = parameter.find('=');
    if (equals == parameter.npos) {
        out += parameter;
        return;
    }
    out += parameter.substr(0, equals + 1);
    const bool hash = item.action == RedactedItem::Action::hash;
    out += hash ? secret_digest(decode(parameter.substr(equals + 1), false)) : encode(decode(item.replacement, false));
}

}  // namespace

std::string secret_digest(std::string_view secret) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    // It fails for lack of memory alone, and leaves nothing that may be sent.
    if (EVP_Digest(secret.data(), secret.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
        ERR_clear_error();
        throw std::bad_alloc();
    }
    std::string out = "sha256:";
    for (std::size_t i = 0; i < kDigestBytes; ++i) {
        out += kHexDigits[digest[i] >> 4];
        out += kHexDigits[digest[i] & 15];
    }
    return out;
}

const RedactedItem* find_item(const std::vector<RedactedItem>& items, std::string_view name) {
    const auto found =
        std::find_if(items.begin(), items.end(), [&](const RedactedItem& item) { return same_name(name, item.name); });
    return found == items.end() || is_protected(name) ? nullptr : &*found;
}

void redact_fields(FieldList& fields, const std::vector<RedactedItem>& items) {
    if (items.empty()) return;
    std::erase_if(fields.items, [&](Field& field) {
        const RedactedItem* item = find_item(items, field.name);
        if (!item) return false;
        field.never_index = true;
        if (item->action == RedactedItem::Action::hash) {
            field.value = fields.own(secret_digest(field.value));
            return false;
        }
        field.value = item->replacement;
        return item->action == RedactedItem::Action::drop || !is_field_value(item->replacement);
    });
}

std::optional<std::string> redact_query(std::string_view target, const std::vector<RedactedItem>& items) {
    const std::size_t mark = items.empty() ? target.npos : target.find('?');
    if (mark == target.npos) return std::nullopt;
    std::string query;  // each parameter behind its '&'
    bool found = false;
    for (std::size_t at = mark + 1; at <= target.size();) {
        const std::size_t end = std::min(target.find('&', at), target.size());
        const std::string_view parameter = target.substr(at, end - at);
        at = end + 1;
        if (const RedactedItem* item = find_parameter(items, parameter.substr(0, parameter.find('=')))) {
            found = true;
            redact_parameter(parameter, *item, query);
        } else {
            query += '&';
            query += parameter;
        }
    }
    if (!found) return std::nullopt;
    if (query.find_first_not_of('&') == query.npos) return std::string(target.substr(0, mark));
    query.front() = '?';
    return std::string(target.substr(0, mark)) + query;
}

}  // namespace umbra::edit
