// Http2Splitter: the client's bytes of an HTTP/2 connection, from its preface on, become the calls of an Http2Sink. The
// same bytes give the same calls and counts however they were cut into pieces. Not here: what to do with the flow after
// a fault, which is the connection's (see FlowProtocol).
//
// Every byte is counted once. Frames of a request: HEADERS with its CONTINUATIONs when the block is whole, DATA as it
// comes, RST_STREAM before the client has ended the stream. All else is dropped in the flow's row: control frames and
// frames of streams without a request as h2_control, refused requests as unmatched, heads that are no request under
// their reason.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <unordered_map>

#include "protocol/http2_frames.h"
#include "protocol/http2_session.h"

namespace umbra {

class Http2Splitter {
public:
    Http2Splitter(Http2Sink& sink, umbra_ledger_row& flow_row, const ProtocolLimits& limits);

    // Takes all bytes unless it fails; the rest is the caller's, whose drops are counted in the flow's row.
    std::size_t feed(Bytes bytes, TimeNs now);
    // Drops what no request was charged for yet.
    void drop_held(Reason reason);

    bool failed() const { return failed_; }
    Reason fault() const { return fault_; }
    std::uint64_t heads() const { return heads_; }
    std::uint64_t accepted() const { return accepted_; }  // that the sink took

private:
    struct Stream {
        umbra_ledger_row* row;  // null: refused
        std::optional<std::uint64_t> body_left;
        std::optional<Reason> fault;  // told when the frame at hand ends
        std::uint64_t turn;           // of its latest frame
    };
    using Streams = std::unordered_map<std::uint32_t, Stream>;
    enum class Use : std::uint8_t { control, settings, block, data, reset };
    static constexpr std::size_t kRemembered = 256;

    void take_preface(Bytes& rest);
    bool begin_frame();
    bool begin_block();
    bool begin_data();
    void take_piece(const Http2Frames::Piece& piece, TimeNs now);
    void end_frame(TimeNs now);
    void end_block(TimeNs now);
    void open_stream(TimeNs now);
    void end_stream(Streams::iterator stream, TimeNs now);
    void give_up(Streams::iterator stream, TimeNs now);
    void give_up_quietest(TimeNs now);
    void reset_stream(TimeNs now);
    std::size_t most_payload() const;
    bool is_expected(const Http2FrameHeader& frame) const;
    bool is_idle(std::uint32_t stream) const;
    void charge(const Streams::value_type& stream);
    bool fail(Reason reason);

    Http2Sink& sink_;
    umbra_ledger_row& flow_row_;
    const ProtocolLimits& limits_;
    Http2Frames frames_;
    Http2Session session_;
    Streams streams_;  // that the client has not ended
    std::array<std::uint32_t, kRemembered> ended_{};
    std::size_t next_ended_ = 0;
    std::size_t preface_ = 0;        // bytes of it so far
    std::size_t held_ = 0;           // bytes taken that are not counted yet
    std::size_t block_bytes_ = 0;    // of the header block at hand
    std::uint32_t last_stream_ = 0;  // the highest that the client has opened
    std::uint64_t turn_ = 0;
    std::uint64_t heads_ = 0;
    std::uint64_t accepted_ = 0;
    Reason fault_ = Reason::h2_invalid;
    Use use_ = Use::control;
    bool settings_seen_ = false;
    bool block_open_ = false;
    bool block_opens_ = false;  // a new stream
    bool block_ends_ = false;   // the stream
    std::uint32_t block_stream_ = 0;
    Streams::iterator owner_ = streams_.end();  // of the DATA frame at hand
    bool failed_ = false;
};

}  // namespace umbra
