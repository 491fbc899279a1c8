// A decoded header list of HTTP/2 read as a request's head.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "protocol/http2_sink.h"
#include "protocol/message_sink.h"

namespace umbra {

// out's views are those of the fields.
void to_request_head(std::span<const HeaderField> fields, RequestHead& out);

// Of a request that nghttp2 has judged: what its DATA must add up to. Nothing for CONNECT, whose DATA is a tunnel.
std::optional<std::uint64_t> content_length(const RequestHead& head, std::span<const HeaderField> fields);

}  // namespace umbra
