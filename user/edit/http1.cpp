// Heads of HTTP/1 requests for the mirror.
#include "edit/edit.h"
#include "edit/headers.h"
#include "edit/host.h"
#include "edit/redaction.h"

namespace umbra::edit {

namespace {

std::string edit_target(const RequestHead& head, const rules::MirrorSettings& settings) {
    std::string target(head.target);
    if (head.method != "CONNECT") {
        if (auto redacted = redact_query(target, settings.redaction.query)) target = std::move(*redacted);
    }
    if (auto edited = edit_target_authority(head.method, target, settings)) target = std::move(*edited);
    return target;
}

// A request without Host gets one by a literal only: there is none to be lengthened.
void edit_host(FieldList& fields, const rules::MirrorSettings& settings) {
    if (!edits_host(settings)) return;
    if (const Field* host = fields.find("host")) {
        fields.set("host", fields.own(*edit_authority(host->value, settings)));
    } else if (settings.host == rules::HostPolicy::literal) {
        fields.append("Host", settings.host_literal);
    }
}

void write_line(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

void write_http1(const RequestHead& head, const rules::MirrorSettings& settings, const Context& context,
                 std::string& out) {
    FieldList fields;
    fields.items.reserve(head.headers.size() + 4);
    for (const auto& [name, value] : head.headers) fields.append(name, value);
    edit_headers(fields, settings, context);
    edit_host(fields, settings);
    add_client_address(fields, settings, context.flow);

    out.append(head.method).append(" ").append(edit_target(head, settings));
    out.append(head.version_minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    for (const Field& field : fields.items) write_line(out, field.name, field.value);
    out.append("\r\n");
}

}  // namespace umbra::edit
