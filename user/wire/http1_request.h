// RequestParser: one request after the other. A head passes only if llhttp and Umbra's own strict checks read it
// alike. In: a whole head, then body bytes in any pieces. Out: how the request is framed and where it ends. Keeps no
// bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/chunked_check.h"
#include "wire/http1_head.h"

namespace umbra::wire {

class RequestParser {
public:
    using BodyStep = ChunkedCheck::Step;

    // The limits outlive it.
    explicit RequestParser(const ChunkedLimits& limits = kDefaultChunkedLimits) : chunks_(limits) {}

    // head ends with its empty line (see HeadEnd). A request without body is over with its head.
    HttpFault head(std::string_view head, Http1Head& out);
    // The bytes after the head, until done.
    BodyStep body(Bytes bytes);
    // What is still to come of a body with Content-Length; nothing for other framing.
    std::optional<std::uint64_t> body_left() const {
        return body_ == BodyKind::length ? std::optional(left_) : std::nullopt;
    }

private:
    ChunkedCheck chunks_;
    BodyKind body_ = BodyKind::none;
    std::uint64_t left_ = 0;  // of a body with Content-Length
};

}  // namespace umbra::wire
