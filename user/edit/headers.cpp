#include "edit/headers.h"

#include <algorithm>

#include "edit/host.h"
#include "edit/redaction.h"
#include "edit/request_id.h"

namespace umbra::edit {

namespace {

constexpr std::string_view kForwardedFor = "x-forwarded-for";

// The id that the client sent is kept, and only an empty one filled in.
void add_request_id(FieldList& fields, std::string_view name, std::uint64_t request) {
    if (!may_write(name, {})) return;
    const Field* present = fields.find(name);
    if (present && !present->value.empty()) return;
    fields.set(name, fields.own(make_request_id(process_id_prefix(), request)));
}

// What is written in the place of a secret is one as well.
void hide_redacted(FieldList& fields, const std::vector<rules::RedactedItem>& items) {
    if (items.empty()) return;
    for (Field& field : fields.items) field.never_index |= find_item(items, field.name) != nullptr;
}

bool changes_fields(const rules::HeaderEdits& edits) {
    const auto writes = [](const auto& pair) { return may_write(pair.first, pair.second); };
    return std::any_of(edits.set.begin(), edits.set.end(), writes) ||
           std::any_of(edits.add.begin(), edits.add.end(), writes) ||
           std::any_of(edits.remove.begin(), edits.remove.end(), [](const auto& name) { return !is_protected(name); });
}

bool changes_secrets(const rules::Redaction& redaction) {
    return !redaction.query.empty() || std::any_of(redaction.headers.begin(), redaction.headers.end(),
                                                   [](const auto& item) { return !is_protected(item.name); });
}

}  // namespace

bool changes_heads(const rules::MirrorSettings& settings) {
    return edits_host(settings) || settings.client_address == rules::ClientAddress::forwarded_for ||
           may_write(settings.request_id_header, {}) || may_write(settings.marker_header, settings.marker_value) ||
           changes_secrets(settings.redaction) || changes_fields(settings.headers);
}

void edit_headers(FieldList& fields, const rules::MirrorSettings& settings, const Context& context) {
    redact_fields(fields, settings.redaction.headers);
    for (const auto& name : settings.headers.remove) {
        if (!is_protected(name)) fields.remove(name);
    }
    for (const auto& [name, value] : settings.headers.set) {
        if (may_write(name, value)) fields.set(name, value);
    }
    for (const auto& [name, value] : settings.headers.add) {
        if (may_write(name, value)) fields.append(name, value);
    }
    if (may_write(settings.marker_header, settings.marker_value)) {
        fields.set(settings.marker_header, settings.marker_value);
    }
    add_request_id(fields, settings.request_id_header, context.request);
    hide_redacted(fields, settings.redaction.headers);
}

void add_client_address(FieldList& fields, const rules::MirrorSettings& settings, const FlowTuple& flow) {
    if (settings.client_address != rules::ClientAddress::forwarded_for) return;
    std::string address = flow.client.address.to_string();
    Field* last = fields.find_last(kForwardedFor);
    if (!last) return fields.append(kForwardedFor, fields.own(std::move(address)));
    last->value =
        last->value.empty() ? fields.own(std::move(address)) : fields.own(std::string(last->value) + ", " + address);
}

}  // namespace umbra::edit
