// Fields of HTTP/2 requests for the mirror.
#include "edit/edit.h"
#include "edit/headers.h"
#include "edit/host.h"
#include "edit/redaction.h"

namespace umbra::edit {

namespace {

bool is_pseudo(std::string_view name) { return name.substr(0, 1) == ":"; }

OwnedField to_owned(const Field& field) {
    return {std::string(field.name), std::string(field.value), field.never_index};
}

struct Split {
    std::vector<OwnedField> pseudo;
    FieldList regular;
};

Split split(std::span<const HeaderField> fields) {
    Split out;
    out.regular.items.reserve(fields.size() + 4);
    for (const HeaderField& field : fields) {
        if (is_pseudo(field.name)) {
            out.pseudo.push_back({std::string(field.name), std::string(field.value), field.never_index});
        } else {
            out.regular.append(field.name, field.value, field.never_index);
        }
    }
    return out;
}

void redact_path(std::vector<OwnedField>& pseudo, const rules::MirrorSettings& settings) {
    for (OwnedField& field : pseudo) {
        if (field.name != ":path") continue;
        auto redacted = redact_query(field.value, settings.redaction.query);
        if (!redacted) continue;
        field.value = std::move(*redacted);
        field.never_index = true;
    }
}

void edit_host(Split& fields, const rules::MirrorSettings& settings) {
    if (!edits_host(settings)) return;
    bool named = false;
    for (OwnedField& field : fields.pseudo) {
        if (field.name != ":authority") continue;
        named = true;
        field.value = *edit_authority(field.value, settings);
    }
    for (Field& field : fields.regular.items) {
        if (field.name != "host") continue;
        named = true;
        field.value = fields.regular.own(*edit_authority(field.value, settings));
    }
    if (!named && settings.host == rules::HostPolicy::literal) {
        fields.pseudo.push_back({":authority", settings.host_literal});
    }
}

}  // namespace

std::vector<OwnedField> edit_fields(std::span<const HeaderField> fields, const rules::MirrorSettings& settings,
                                    const Context& context) {
    Split parts = split(fields);
    redact_path(parts.pseudo, settings);
    edit_headers(parts.regular, settings, context);
    edit_host(parts, settings);
    add_client_address(parts.regular, settings, context.flow);
    std::vector<OwnedField> out = std::move(parts.pseudo);
    out.reserve(out.size() + parts.regular.items.size());
    for (const Field& field : parts.regular.items) out.push_back(to_owned(field));
    return out;
}

std::vector<OwnedField> edit_trailers(std::span<const HeaderField> fields, const rules::MirrorSettings& settings) {
    FieldList trailers;
    for (const HeaderField& field : fields) trailers.append(field.name, field.value, field.never_index);
    redact_fields(trailers, settings.redaction.headers);
    for (const auto& name : settings.headers.remove) {
        if (!is_protected(name)) trailers.remove(name);
    }
    std::vector<OwnedField> out;
    for (const Field& field : trailers.items) out.push_back(to_owned(field));
    return out;
}

}  // namespace umbra::edit
