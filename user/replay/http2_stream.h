// Http2Stream: one request of a client's HTTP/2 connection that is not settled yet. Its queue holds the encoded head
// until the stream is begun at the mirror, then the body, then the encoded trailers: so heads count as bytes and live
// in the same bounded memory. Owned by the Http2Relay; Http2MirrorSession reads the queue and notes what the mirror
// says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/chunk_buffer.h"
#include "protocol/http2_sink.h"
#include "replay/replay_shared.h"

namespace umbra {

class Http2Channel;

class Http2Stream {
public:
    // queued: the bytes that all streams of the relay hold.
    Http2Stream(ReplayShared& shared, std::size_t& queued) : shared_(shared), queued_(queued), queue_(shared.chunks) {}
    ~Http2Stream() { pop(queue_.size()); }
    Http2Stream(const Http2Stream&) = delete;
    Http2Stream& operator=(const Http2Stream&) = delete;

    // Each false: the worker's memory for queues is used up, nothing was appended. In this order.
    [[nodiscard]] bool append_head(Bytes encoded) { return append(encoded, head_); }
    [[nodiscard]] bool append_body(Bytes bytes) { return append(bytes, body_); }
    [[nodiscard]] bool append_trailers(Bytes encoded) { return append(encoded, trailers_); }
    std::string take_head() { return take(head_); }
    std::string take_trailers() { return take(trailers_); }
    std::size_t take_body(std::span<std::uint8_t> into);
    std::size_t body() const { return body_; }
    std::size_t trailers() const { return trailers_; }
    std::size_t size() const { return queue_.size(); }
    void clear();

    // The client's side.
    std::uint32_t client_id = 0;
    umbra_ledger_row* row = nullptr;
    TargetRef target;  // its queue has taken what is appended
    bool guard = false;
    std::uint64_t announced = 0;  // bytes of the client's connection
    bool complete = false;        // the client ended it
    TimeNs begun_at = 0;          // its head came
    TimeNs progress_at = 0;       // latest byte in either direction, or when the mirror began to owe one

    // The mirror's side.
    Http2Channel* channel = nullptr;  // where it was begun
    Outstanding outstanding;          // since then
    std::int32_t id = 0;              // there
    bool head_sent = false;
    bool sent = false;  // END_STREAM is among the bytes produced
    std::uint64_t sent_mark = 0;
    bool deferred = false;  // the session waits for resume()
    bool answered = false;
    bool waived = false;  // answered, and the mirror asked not to be sent the rest
    unsigned status = 0;
    std::optional<Reason> failure;  // how the mirror ended it

    // True while the next move is the mirror's.
    bool mirror_owes() const { return !waived && (complete || body_ > 0); }

private:
    bool append(Bytes bytes, std::size_t& part);
    std::string take(std::size_t& part);
    void pop(std::size_t count);

    ReplayShared& shared_;
    std::size_t& queued_;
    ByteQueue queue_;
    std::size_t head_ = 0;
    std::size_t body_ = 0;
    std::size_t trailers_ = 0;
};

// Fields as one piece of bytes, and back: views into the bytes.
void encode_fields(std::span<const HeaderField> fields, std::string& out);
std::vector<HeaderField> decode_fields(std::string_view encoded);

}  // namespace umbra
