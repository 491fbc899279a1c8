// What a mirror's settings do to the head of a copy: Host, headers, request id, marker, redaction, client address.
// Pure: a decoded head and settings in, the head for the mirror out. The body is never touched. HTTP/1 is written
// anew from its parsed fields, in the client's order and spelling where nothing was asked for; so the mirror reads one
// request where the client sent one, and nothing of a field's value is passed on that the parser did not judge.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "net/ip_address.h"
#include "protocol/http2_sink.h"
#include "protocol/message_sink.h"
#include "rules/mirror_settings.h"

namespace umbra::edit {

struct Context {
    const FlowTuple& flow;
    std::uint64_t request = next_request();  // makes a new request id unique within the process

    static std::uint64_t next_request();
};

// Whether heads must be edited at all. Without, the client's own bytes go to the mirror.
bool changes_heads(const rules::MirrorSettings& settings);

// Appends the head, up to and with its empty line, to `out`.
void write_http1(const RequestHead& head, const rules::MirrorSettings& settings, const Context& context,
                 std::string& out);

struct OwnedField {
    std::string name;
    std::string value;
    bool never_index = false;
};

// The fields for the mirror, pseudo-headers first. Redacted and never-indexed fields are never indexed.
std::vector<OwnedField> edit_fields(std::span<const HeaderField> fields, const rules::MirrorSettings& settings,
                                    const Context& context);
// Trailers: redaction and removal only.
std::vector<OwnedField> edit_trailers(std::span<const HeaderField> fields, const rules::MirrorSettings& settings);

// The header of the PROXY protocol, version 2, that tells of `flow`: to be sent before a connection's first byte.
std::string proxy_v2_header(const FlowTuple& flow);

}  // namespace umbra::edit
