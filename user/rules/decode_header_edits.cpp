#include "rules/decode_header_edits.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "rules/read_word.h"

namespace umbra::rules {

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr std::array<std::string_view, 3> kCredentials{"authorization", "proxy-authorization", "cookie"};
constexpr std::string_view kRedactedText = "redacted";

bool is_token(std::string_view text) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](unsigned char c) {
        return (c < 0x80 && std::isalnum(c)) || kMarks.find(static_cast<char>(c)) != std::string_view::npos;
    });
}

std::string lower_case(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

// Why a header must be left as it is, or null.
const char* fixed_because(std::string_view name) {
    if (name == "host") return "it says which server is meant; use host: {policy: …}";
    if (name == "content-length" || name == "transfer-encoding")
        return "it says where the body ends, which an edit must not change";
    constexpr std::string_view kOfTheConnection[] = {"connection", "upgrade", "keep-alive", "proxy-connection",
                                                     "te",         "trailer", "expect",     "http2-settings"};
    if (std::find(std::begin(kOfTheConnection), std::end(kOfTheConnection), name) != std::end(kOfTheConnection))
        return "it belongs to the connection, and the mirror's is another";
    return nullptr;
}

// A name that an edit may be about.
std::optional<std::string> editable_name(const WrittenName& written) {
    auto name = decode_header_name(written);
    const auto* why = name ? fixed_because(*name) : nullptr;
    if (!why) return name;
    written.fields.report(Severity::error, written.at, written.path, "'" + *name + "' cannot be edited", why);
    return std::nullopt;
}

std::optional<std::string> editable_field(const FieldReader& fields, std::string_view field) {
    const auto text = fields.text(field);
    if (text) return editable_name({fields, *text, fields.at(field), fields.path(field)});
    if (!fields.has(field)) fields.error(field, "is required");
    return std::nullopt;
}

bool is_header_value(std::string_view value) {
    return std::none_of(value.begin(), value.end(),
                        [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

// A value on its way into a header; an empty one for what is wrong, which is reported.
std::string header_value(const FieldReader& fields, std::string_view field) {
    auto value = fields.text(field).value_or("");
    if (is_header_value(value)) return value;
    fields.error(field, "a header's value cannot hold control characters", "CR, LF and NUL would end the header");
    return "";
}

Pairs decode_pairs(const FieldReader& headers, std::string_view field) {
    Pairs pairs;
    const auto map = headers.message(field);
    if (!map) return pairs;
    for (const auto& entry : map->node().members) {
        const auto path = field_path(map->path(), entry.key);
        auto name = editable_name({*map, entry.key, entry.at, path});
        if (entry.value.kind == Node::Kind::null) {
            map->report(Severity::error, entry.value.at, path, "has no value", "an empty one is written \"\"");
            continue;
        }
        auto value = header_value(*map, entry.key);
        if (!name) continue;
        const bool twice =
            std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.first == *name; });
        if (twice)
            map->report(Severity::error, entry.at, path, "'" + *name + "' is given twice", "keep one of the two");
        pairs.emplace_back(std::move(*name), std::move(value));
    }
    return pairs;
}

HeaderEdits decode_headers(const FieldReader& headers) {
    headers.allow_only({"set", "add", "remove"});
    HeaderEdits edits{decode_pairs(headers, "set"), decode_pairs(headers, "add"), {}};
    for (const auto& item : headers.texts("remove")) {
        auto name = editable_name({headers, item.value, item.at, item.path});
        if (!name) continue;
        for (const auto* pairs : {&edits.set, &edits.add}) {
            if (std::none_of(pairs->begin(), pairs->end(), [&](const auto& pair) { return pair.first == *name; }))
                continue;
            headers.report(Severity::error, item.at, item.path, "'" + *name + "' is both given and removed",
                           "'set' replaces all values; there is nothing to remove");
        }
        edits.remove.push_back(std::move(*name));
    }
    return edits;
}

// What a parameter of a query is called, and what may stand in its place: the text is put into the target as it is.
bool is_query_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return c > ' ' && c < 0x7f && c != '&' && c != '#' && c != '='; });
}

std::optional<RedactedItem> decode_item(const FieldReader& fields, bool of_query) {
    fields.allow_only({"name", "action", "replacement"});
    RedactedItem item;
    read_word(fields, "action", kActionNames, item.action);
    item.replacement = header_value(fields, "replacement");
    if (item.action == RedactedItem::Action::replace && !fields.has("replacement"))
        fields.error("replacement", "is required with 'action: replace'");
    if (item.action != RedactedItem::Action::replace && fields.has("replacement"))
        fields.error("replacement", "is for 'action: replace' only");
    if (!of_query) {
        auto name = editable_field(fields, "name");
        if (!name) return std::nullopt;
        item.name = std::move(*name);
        return item;
    }
    constexpr auto kHint = "visible ASCII without '&', '=' and '#'; percent-encode the rest";
    item.name = fields.text("name").value_or("");
    if (item.name.empty() || !is_query_text(item.name))
        fields.error("name", "'" + item.name + "' is no name of a query parameter", kHint);
    if (!is_query_text(item.replacement)) fields.error("replacement", "cannot stand in a query", kHint);
    return item;
}

void put(std::vector<RedactedItem>& items, RedactedItem item) {
    const auto known =
        std::find_if(items.begin(), items.end(), [&](const auto& other) { return other.name == item.name; });
    if (known == items.end())
        items.push_back(std::move(item));
    else
        *known = std::move(item);
}

std::vector<RedactedItem> decode_items(const FieldReader& redact, std::string_view field) {
    std::vector<RedactedItem> items;
    for (const auto& fields : redact.messages(field)) {
        auto item = decode_item(fields, field == "query");
        if (!item) continue;
        const bool twice =
            std::any_of(items.begin(), items.end(), [&](const auto& other) { return other.name == item->name; });
        if (twice) fields.error("name", "'" + item->name + "' is given twice", "keep one of the two");
        items.push_back(std::move(*item));
    }
    return items;
}

Redaction decode_redaction(const FieldReader& redact) {
    redact.allow_only({"credentials", "headers", "query"});
    Redaction redaction;
    if (redact.has("credentials")) {
        auto action = RedactedItem::Action::drop;
        read_word(redact, "credentials", kActionNames, action);
        const bool replaced = action == RedactedItem::Action::replace;
        for (const auto name : kCredentials)
            redaction.headers.push_back({std::string(name), action, replaced ? std::string(kRedactedText) : ""});
    }
    for (auto& item : decode_items(redact, "headers")) put(redaction.headers, std::move(item));
    redaction.query = decode_items(redact, "query");
    return redaction;
}

void decode_marker(const FieldReader& marker, const std::string& rule_key, MirrorSettings& settings) {
    marker.allow_only({"header", "value"});
    settings.marker_header = editable_field(marker, "header").value_or("");
    settings.marker_value = marker.has("value") ? header_value(marker, "value") : rule_key;
}

}  // namespace

std::optional<std::string> decode_header_name(const WrittenName& written) {
    if (is_token(written.text)) return lower_case(written.text);
    const bool pseudo = !written.text.empty() && written.text.front() == ':';
    written.fields.report(Severity::error, written.at, written.path, "'" + written.text + "' is no name of a header",
                          pseudo ? "names with ':' are parts of an HTTP/2 request, not headers"
                                 : "letters, digits and !#$%&'*+-.^_`|~ only");
    return std::nullopt;
}

void decode_header_edits(const FieldReader& fields, const std::string& rule_key, MirrorSettings& settings) {
    if (const auto headers = fields.message("headers")) settings.headers = decode_headers(*headers);
    if (const auto id = fields.message("requestId")) {
        id->allow_only({"header"});
        settings.request_id_header = editable_field(*id, "header").value_or("");
    }
    if (const auto marker = fields.message("marker")) decode_marker(*marker, rule_key, settings);
    if (const auto redact = fields.message("redact")) settings.redaction = decode_redaction(*redact);
}

}  // namespace umbra::rules
