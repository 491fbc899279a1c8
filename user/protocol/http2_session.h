// Http2Session: nghttp2's server side of a connection whose server is somebody else: it decodes header blocks and
// judges streams, what it would send is thrown away. It is fed what changes that state alone: the preface, the client's
// SETTINGS, HEADERS and CONTINUATION, and DATA of open streams; the limits that the real server gave its client are not
// visible, so that its own are as wide as the protocol allows and in force from the start.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "protocol/http2_sink.h"
#include "protocol/limits.h"

struct nghttp2_session;
struct nghttp2_session_callbacks;

namespace umbra {

class Http2Session {
public:
    // What the bytes fed last did.
    struct Heard {
        bool broken = false;   // an error of the connection: nothing more may be fed
        bool gave_up = false;  // an error of the stream that they are of
        Bytes data = {};       // of a DATA frame, without padding
    };
    enum class Block : std::uint8_t { invalid, good, oversized };

    explicit Http2Session(const ProtocolLimits& limits);
    Http2Session(const Http2Session&) = delete;
    Http2Session& operator=(const Http2Session&) = delete;

    // Bytes of one frame at most, its header in one piece.
    Heard feed(Bytes bytes);
    // The client's first SETTINGS were fed: ours are in force from here on.
    Heard begin();
    void begin_block();
    // After the last bytes of a header block.
    Block block() const { return block_; }
    // Its fields, while it is good; valid until the next call that is not const.
    std::span<const HeaderField> fields();
    void close_stream(std::uint32_t stream);

private:
    struct Callbacks;
    struct Delete {
        void operator()(nghttp2_session* session) const;
    };
    struct StoredField {
        std::size_t name, value;  // sizes
        bool never_index;
    };
    void submit_settings();
    void drain();
    bool store(std::string_view name, std::string_view value, bool never_index);

    const ProtocolLimits& limits_;
    std::unique_ptr<nghttp2_session, Delete> session_;
    Heard heard_;
    std::string text_;  // names and values, one after the other
    std::vector<StoredField> stored_;
    Block block_ = Block::invalid;
    bool closing_ = false;  // by close_stream()
};

}  // namespace umbra
