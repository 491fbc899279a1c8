// A small edit stage for these tests, weak so that the real one takes its place where both are linked: it knows the
// marker header, and a PROXY header of two readable lines' worth of bytes.
#include "edit/edit.h"

namespace umbra::edit {

__attribute__((weak)) bool changes_heads(const rules::MirrorSettings& settings) {
    return !settings.marker_header.empty();
}

__attribute__((weak)) void write_http1(const RequestHead& head, const rules::MirrorSettings& settings, const Context&,
                                       std::string& out) {
    out.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
    for (const auto& [name, value] : head.headers) out.append(name).append(": ").append(value).append("\r\n");
    out.append(settings.marker_header).append(": ").append(settings.marker_value).append("\r\n\r\n");
}

__attribute__((weak)) std::string proxy_v2_header(const FlowTuple& flow) {
    const std::string text = flow.to_string();
    std::string header("\r\n\r\n\0\r\nQUIT\n\x21\x11", 14);
    header += static_cast<char>(text.size() >> 8);
    header += static_cast<char>(text.size());
    return header + text;
}

}  // namespace umbra::edit
