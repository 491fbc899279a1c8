#include "protocol/http2_splitter.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/thread_scratch.h"
#include "protocol/http2_head.h"

namespace umbra {

namespace {

constexpr std::string_view kPreface(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);

// One head is told at a time and its views live for one call, so a thread's flows share the room for them.
RequestHead& scratch_of_thread() { return thread_scratch<RequestHead, Http2Splitter>(); }

}  // namespace

Http2Splitter::Http2Splitter(Http2Sink& sink, umbra_ledger_row& flow_row, const ProtocolLimits& limits)
    : sink_(sink), flow_row_(flow_row), limits_(limits), session_(limits) {}

std::size_t Http2Splitter::feed(Bytes bytes, TimeNs now) {
    Bytes rest = bytes;
    while (!rest.empty() && !failed_) {
        const std::size_t before = rest.size();
        if (preface_ < kPreface.size()) {
            take_preface(rest);
            continue;
        }
        const Http2Frames::Piece piece = frames_.next(rest, most_payload());
        held_ += before - rest.size();
        if (piece.bytes.empty() || (piece.begins && !begin_frame())) continue;
        take_piece(piece, now);
        if (piece.ends && !failed_) end_frame(now);
    }
    return bytes.size() - rest.size();
}

void Http2Splitter::take_preface(Bytes& rest) {
    const std::size_t size = std::min(rest.size(), kPreface.size() - preface_);
    const Bytes part = rest.first(size);
    rest = rest.subspan(size);
    held_ += size;
    if (as_text(part) != kPreface.substr(preface_, size) || session_.feed(part).broken) {
        fail(Reason::h2_invalid);
        return;
    }
    preface_ += size;
    if (preface_ == kPreface.size()) drop_held(Reason::h2_control);
}

bool Http2Splitter::is_expected(const Http2FrameHeader& frame) const {
    if (!settings_seen_) return frame.type == NGHTTP2_SETTINGS && !frame.has(NGHTTP2_FLAG_ACK);
    if (block_open_) return frame.type == NGHTTP2_CONTINUATION && frame.stream == block_stream_;
    return frame.type != NGHTTP2_CONTINUATION;
}

// Streams with even numbers are the server's: nothing is known of them.
bool Http2Splitter::is_idle(std::uint32_t stream) const { return stream % 2 == 1 && stream > last_stream_; }

bool Http2Splitter::begin_frame() {
    const Http2FrameHeader& frame = frames_.header();
    if (!is_well_formed(frame) || !is_expected(frame)) return fail(Reason::h2_invalid);
    use_ = Use::control;
    switch (frame.type) {
        case NGHTTP2_SETTINGS:
            if (!frame.has(NGHTTP2_FLAG_ACK)) use_ = Use::settings;
            return true;
        case NGHTTP2_HEADERS:
        case NGHTTP2_CONTINUATION:
            return begin_block();
        case NGHTTP2_DATA:
            return begin_data();
        case NGHTTP2_RST_STREAM:
            use_ = Use::reset;
            [[fallthrough]];
        case NGHTTP2_WINDOW_UPDATE:
            return !is_idle(frame.stream) || fail(Reason::h2_invalid);
        default:
            return true;
    }
}

bool Http2Splitter::begin_block() {
    const Http2FrameHeader& frame = frames_.header();
    use_ = Use::block;
    if (frame.type == NGHTTP2_HEADERS) {
        session_.begin_block();
        block_open_ = true;
        block_bytes_ = 0;
        block_stream_ = frame.stream;
        block_opens_ = is_idle(frame.stream);
        block_ends_ = frame.has(NGHTTP2_FLAG_END_STREAM);
    }
    if (block_opens_) last_stream_ = frame.stream;
    block_bytes_ += Http2Frames::kHeader + frame.length;
    return !limits_.header_block_bytes.exceeded_by(block_bytes_) || fail(Reason::header_size);
}

bool Http2Splitter::begin_data() {
    const Http2FrameHeader& frame = frames_.header();
    const Bytes pad = frames_.extra();
    const bool too_long = !pad.empty() && std::to_integer<std::uint32_t>(pad[0]) > frame.length - 1;
    if (frame.stream % 2 == 0 || is_idle(frame.stream) || too_long) return fail(Reason::h2_invalid);
    owner_ = streams_.find(frame.stream);
    if (owner_ == streams_.end()) return true;
    use_ = Use::data;
    owner_->second.turn = ++turn_;
    return true;
}

// A body that exceeds its Content-Length is at fault at the same byte in any pieces.
std::size_t Http2Splitter::most_payload() const {
    constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
    if (use_ != Use::data) return kAny;
    const std::uint64_t left = owner_->second.body_left.value_or(0);
    return left > 0 ? left : kAny;
}

void Http2Splitter::take_piece(const Http2Frames::Piece& piece, TimeNs now) {
    if (use_ == Use::control || use_ == Use::reset) return;
    if (use_ == Use::data) charge(*owner_);
    const Http2Session::Heard heard = session_.feed(piece.bytes);
    if (heard.broken) {
        fail(Reason::h2_invalid);
    } else if (use_ == Use::data) {
        auto& [id, stream] = *owner_;
        if (heard.gave_up) stream.fault = Reason::http_invalid;
        if (stream.body_left) *stream.body_left -= std::min<std::uint64_t>(*stream.body_left, heard.data.size());
        if (stream.row && !heard.data.empty()) sink_.stream_data(id, heard.data, now);
    }
}

void Http2Splitter::end_frame(TimeNs now) {
    const Http2FrameHeader& frame = frames_.header();
    switch (std::exchange(use_, Use::control)) {
        case Use::control:
            return drop_held(Reason::h2_control);
        case Use::settings:
            drop_held(Reason::h2_control);
            if (!std::exchange(settings_seen_, true) && session_.begin().broken) fail(Reason::h2_invalid);
            return;
        case Use::block:
            if (frame.has(NGHTTP2_FLAG_END_HEADERS)) end_block(now);
            return;
        case Use::data:
            if (owner_->second.fault) return give_up(owner_, now);
            if (frame.has(NGHTTP2_FLAG_END_STREAM)) end_stream(owner_, now);
            return;
        case Use::reset:
            return reset_stream(now);
    }
}

void Http2Splitter::end_block(TimeNs now) {
    block_open_ = false;
    const Http2Session::Block block = session_.block();
    const Reason fault = block == Http2Session::Block::oversized ? Reason::header_size : Reason::http_invalid;
    const auto stream = streams_.find(block_stream_);
    if (stream == streams_.end()) {
        if (block_opens_ && block == Http2Session::Block::good) return open_stream(now);
        return drop_held(block_opens_ ? fault : Reason::h2_control);
    }
    charge(*stream);
    if (block == Http2Session::Block::good) {
        if (stream->second.row) sink_.stream_trailers(stream->first, session_.fields(), now);
        end_stream(stream, now);
    } else {
        stream->second.fault = fault;
        give_up(stream, now);
    }
}

void Http2Splitter::open_stream(TimeNs now) {
    const auto fields = session_.fields();
    RequestHead& scratch = scratch_of_thread();
    to_request_head(fields, scratch);
    ++heads_;
    if (!streams_.empty() && limits_.open_streams.exceeded_by(streams_.size() + 1)) give_up_quietest(now);
    umbra_ledger_row* const row = sink_.stream_head(block_stream_, scratch, fields, now);
    if (row) ++accepted_;
    const Stream opened{row, content_length(scratch, fields), {}, ++turn_};
    const auto stream = streams_.emplace(block_stream_, opened).first;
    charge(*stream);
    if (block_ends_) end_stream(stream, now);
}

void Http2Splitter::end_stream(Streams::iterator stream, TimeNs now) {
    const std::uint32_t id = stream->first;
    const bool taken = stream->second.row != nullptr;
    streams_.erase(stream);
    session_.close_stream(id);
    if (!taken) return;
    ended_[next_ended_++ % kRemembered] = id;
    sink_.stream_end(id, now);
}

// Of a stream that is closed in the session.
void Http2Splitter::give_up(Streams::iterator stream, TimeNs now) {
    const auto [id, given_up] = *stream;
    streams_.erase(stream);
    if (given_up.row) sink_.stream_reset(id, NGHTTP2_CANCEL, *given_up.fault, now);
}

// A stream that the server has ended early may be left as it is by its client: the longest without a frame goes first.
void Http2Splitter::give_up_quietest(TimeNs now) {
    const auto stream = std::ranges::min_element(streams_, {}, [](const auto& open) { return open.second.turn; });
    stream->second.fault = Reason::stream_limit;
    session_.close_stream(stream->first);
    give_up(stream, now);
}

void Http2Splitter::reset_stream(TimeNs now) {
    const std::uint32_t id = frames_.header().stream;
    std::uint32_t code = 0;
    for (const std::byte part : frames_.extra()) code = code << 8 | std::to_integer<std::uint32_t>(part);
    const auto stream = streams_.find(id);
    if (stream != streams_.end()) {
        charge(*stream);
        const bool taken = stream->second.row != nullptr;
        streams_.erase(stream);
        session_.close_stream(id);
        if (taken) sink_.stream_reset(id, code, Reason::client_reset, now);
        return;
    }
    drop_held(Reason::h2_control);
    const auto ended = std::ranges::find(ended_, id);
    if (ended == ended_.end()) return;
    *ended = 0;
    sink_.stream_reset(id, code, Reason::client_reset, now);
}

void Http2Splitter::charge(const Streams::value_type& stream) {
    const auto& [id, request] = stream;
    if (!request.row) return drop_held(Reason::unmatched);
    const std::size_t count = std::exchange(held_, 0);
    if (request.row != &flow_row_) {
        ledger_dropped(flow_row_, Reason::other_rule, &umbra_units::bytes, count);
        ledger_seen(*request.row, &umbra_units::bytes, count);
    }
    sink_.stream_bytes(id, count);
}

void Http2Splitter::drop_held(Reason reason) {
    ledger_dropped(flow_row_, reason, &umbra_units::bytes, std::exchange(held_, 0));
}

bool Http2Splitter::fail(Reason reason) {
    failed_ = true;
    fault_ = reason;
    return false;
}

}  // namespace umbra
