#include "replay/http2_relay.h"

namespace umbra {

namespace {
Bytes as_span(const std::string& text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }
}  // namespace

std::optional<Reason> Http2Relay::refusal(const Choice& choice) const {
    if (shared_.stopped) return Reason::shutdown;
    if (!choice.target || choice.target->endpoints.empty()) return choice.reason;
    if (shared_.limits.flow_streams.exceeded_by(streams_.size() + 1)) return Reason::stream_limit;
    return std::nullopt;
}

Http2Stream* Http2Relay::find(std::uint32_t stream) {
    const auto found = streams_.find(stream);
    return found == streams_.end() ? nullptr : found->second.get();
}

void Http2Relay::head(std::uint32_t stream, std::span<const HeaderField> fields, const Choice& choice) {
    ledger_seen(*choice.row, &umbra_units::requests);
    if (const auto reason = refusal(choice)) {
        ledger_dropped(*choice.row, *reason, &umbra_units::requests);
        lost_.insert_or_assign(stream, Lost{choice.row, *reason});
        return;
    }
    auto record = std::make_unique<Http2Stream>(shared_, queued_);
    record->client_id = stream;
    record->row = choice.row;
    record->target = shared_.targets.find(choice, latest_target_.get());
    record->guard = choice.guard;
    record->begun_at = record->progress_at = used_at_ = shared_.now;
    latest_target_ = TargetRef(record->target.get());
    Http2Stream& added = *streams_.emplace(stream, std::move(record)).first->second;
    held_.emplace(stream, &added);
    std::string encoded;
    encode_fields(fields, encoded);
    if (store(added, as_span(encoded), &Http2Stream::append_head)) stored(added);
    work();
}

void Http2Relay::bytes(std::uint32_t stream, umbra_ledger_row& row, std::size_t count) {
    if (Http2Stream* found = find(stream)) {
        found->announced += count;
        return;
    }
    // Of a settled stream nothing is for the mirror any more.
    const auto lost = lost_.find(stream);
    ledger_dropped(row, lost == lost_.end() ? Reason::h2_control : lost->second.reason, &umbra_units::bytes, count);
}

void Http2Relay::data(std::uint32_t stream, Bytes data) {
    Http2Stream* found = find(stream);
    if (!found || found->waived) return;
    if (found->body() == 0) found->progress_at = shared_.now;
    if (found->channel && !found->target->bucket.take(data.size(), shared_.now)) {
        lose(*found, Reason::mirror_rate);
    } else if (store(*found, data, &Http2Stream::append_body)) {
        stored(*found);
    }
    work();
}

void Http2Relay::trailers(std::uint32_t stream, std::span<const HeaderField> fields) {
    Http2Stream* found = find(stream);
    if (!found || found->waived) return;
    std::string encoded;
    encode_fields(fields, encoded);
    store(*found, as_span(encoded), &Http2Stream::append_trailers);
    work();
}

void Http2Relay::end(std::uint32_t stream) {
    lost_.erase(stream);
    Http2Stream* found = find(stream);
    if (!found) return;
    if (found->body() == 0) found->progress_at = shared_.now;
    found->complete = true;
    if (found->waived) {
        settle(*found, NGHTTP2_NO_ERROR);
    } else if (found->channel) {
        stored(*found);
    } else {
        become_ready(*found);
    }
    work();
}

void Http2Relay::reset(std::uint32_t stream, std::uint32_t code, Reason reason) {
    if (Http2Stream* found = find(stream)) {
        found->answered ? settle(*found, code) : lose(*found, reason, code);
    }
    lost_.erase(stream);
    work();
}

void Http2Relay::close(Reason reason) {
    closed_ = true;
    for (auto next = streams_.begin(); next != streams_.end();) {
        Http2Stream& stream = *(next++)->second;
        if (stream.complete) continue;
        stream.waived ? settle(stream, NGHTTP2_NO_ERROR) : lose(stream, reason);
    }
    lost_.clear();
    work();
}

void Http2Relay::drop_all(Reason reason) {
    while (!streams_.empty()) lose(*streams_.begin()->second, reason);
    if (current_) current_->close(true);
    for (const auto& channel : draining_) channel->close(true);
    current_.reset();
    draining_.clear();
}

// Past a limit the stream that holds the most is given up, so that one that the mirror does not take cannot starve
// the others.
bool Http2Relay::store(Http2Stream& stream, Bytes bytes, bool (Http2Stream::*append)(Bytes)) {
    for (;;) {
        if (!stream.target->queue(bytes.size())) {
            lose(stream, Reason::mirror_queue);
            return false;
        }
        const bool fits = !shared_.limits.flow_queue_bytes.exceeded_by(queued_ + bytes.size());
        if (fits && !shared_.limits.total_queue_bytes.forced() && (stream.*append)(bytes)) return true;
        stream.target->unqueue(bytes.size());
        Http2Stream& victim = largest(stream, bytes.size());
        const bool own = &victim == &stream;
        lose(victim, fits ? Reason::total_queue : Reason::flow_queue);
        if (own) return false;
    }
}

Http2Stream& Http2Relay::largest(Http2Stream& incoming, std::size_t more) {
    Http2Stream* found = &incoming;
    std::size_t most = incoming.size() + more;
    for (const auto& [id, stream] : streams_) {
        if (stream->size() <= most) continue;
        found = stream.get();
        most = stream->size();
    }
    return *found;
}

void Http2Relay::stored(Http2Stream& stream) {
    if (stream.channel) {
        stream.channel->session().resume(stream);
        queued_ >= kGatheredSendBytes ? void(stream.channel->flush()) : stream.channel->flush_soon();
    } else if (shared_.limits.hold_bytes.exceeded_by(stream.size())) {
        become_ready(stream);
    }
}

void Http2Relay::become_ready(Http2Stream& stream) {
    if (held_.erase(stream.client_id) == 0) return;
    stream.progress_at = shared_.now;
    ready_.emplace(stream.client_id, &stream);
}

void Http2Relay::settle(Http2Stream& stream, std::uint32_t code) {
    ledger_mirrored(*stream.row, &umbra_units::requests);
    ledger_mirrored(*stream.row, &umbra_units::bytes, stream.announced);
    forget(stream, code);
}

void Http2Relay::lose(Http2Stream& stream, Reason reason, std::uint32_t code) {
    ledger_dropped(*stream.row, reason, &umbra_units::requests);
    ledger_dropped(*stream.row, reason, &umbra_units::bytes, stream.announced);
    if (!stream.complete) lost_.insert_or_assign(stream.client_id, Lost{stream.row, reason});
    forget(stream, code);
}

void Http2Relay::lose_waiting(Reason reason) {
    while (!ready_.empty()) lose(*ready_.begin()->second, reason);
    while (!held_.empty()) lose(*held_.begin()->second, reason);
}

void Http2Relay::forget(Http2Stream& stream, std::uint32_t code) {
    if (stream.channel && stream.channel->session().reset(stream, code)) stream.channel->flush_soon();
    used_at_ = shared_.now;
    held_.erase(stream.client_id);
    ready_.erase(stream.client_id);
    streams_.erase(stream.client_id);
}

}  // namespace umbra
