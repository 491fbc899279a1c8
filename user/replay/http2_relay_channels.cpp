// Http2Relay's connections: beginning streams on them, judging what the mirror did, timeouts.
#include <algorithm>
#include <utility>

#include "replay/http2_relay.h"

namespace umbra {

void Http2Relay::channel_changed(Http2Channel&) {
    work();
    owner_.relay_event();
}

// Ends: a connection on which nothing was begun takes what waits with it, see give_up().
void Http2Relay::work() {
    do {
        sweep();
        pump();
    } while (sweep());
}

void Http2Relay::pump() {
    while (!ready_.empty() || !held_.empty()) {
        Http2Stream& next = ready_.empty() ? *held_.begin()->second : *ready_.begin()->second;
        if (!prepare(next) || ready_.empty()) return;
        if (shared_.now - next.progress_at > next.target->timeouts.response) {
            lose(next, Reason::response_timeout);
            continue;
        }
        // What an idle connection has to say comes first: it may be its end.
        Http2MirrorSession& session = current_->session();
        if (session.open() == 0 && !current_->read()) return;
        if (!session.takes_streams() || current_->blocked()) return;
        if (const auto limit = next.target->refuses(next.announced, shared_.now)) {
            lose(next, *limit);
            continue;
        }
        if (!session.begin(next)) {
            draining_.push_back(std::move(current_));
            continue;
        }
        next.target->bucket.take(next.announced, shared_.now);
        next.channel = current_.get();
        next.outstanding = current_->take_up();
        ready_.erase(next.client_id);
        current_->flush_soon();
    }
}

// False: `next` waits for a connection, or all that waited is lost.
bool Http2Relay::prepare(Http2Stream& next) {
    Target& target = *next.target.get();
    if (current_ && !current_->serves(target, next.guard)) draining_.push_back(std::move(current_));
    if (!current_) {
        Http2ChannelOwner& owner = *this;
        current_ = std::make_unique<Http2Channel>(shared_, owner, flow_);
    }
    const auto status = current_->open(target, next.guard);
    if (status != Http2Channel::Status::failed) return status == Http2Channel::Status::open;
    const Reason reason = current_->failure();
    current_.reset();
    lose_waiting(reason);
    return false;
}

// True: a connection is gone, so another may be wanted.
bool Http2Relay::sweep() {
    if (current_) judge(*current_);
    for (const auto& channel : draining_) judge(*channel);
    if (current_ && (current_->gone() || current_->session().going_away() || (closed_ && streams_.empty()))) {
        draining_.push_back(std::move(current_));
    }
    bool any = false;
    for (std::size_t i = 0; i < draining_.size();) {
        if (!draining_[i]->gone() && in_use(*draining_[i])) {
            ++i;
            continue;
        }
        auto channel = std::move(draining_[i]);
        draining_.erase(draining_.begin() + static_cast<std::ptrdiff_t>(i));
        give_up(std::move(channel));
        any = true;
    }
    return any;
}

void Http2Relay::judge(Http2Channel& channel) {
    auto& touched = channel.session().touched;
    if (touched.empty()) return;
    const auto looked = std::exchange(touched, {});
    for (const std::uint32_t id : looked) {
        Http2Stream* stream = find(id);
        if (stream && stream->channel == &channel && !judge(channel, *stream)) touched.push_back(id);
    }
}

// False: to be judged again when more was written.
bool Http2Relay::judge(Http2Channel& channel, Http2Stream& stream) {
    if (stream.failure) {
        lose(stream, *stream.failure);
    } else if (stream.waived) {
        stream.clear();
        stream.channel = nullptr;
        stream.outstanding = {};
        if (stream.complete) settle(stream, NGHTTP2_NO_ERROR);
    } else if (stream.answered && stream.sent) {
        if (!channel.flushed(stream.sent_mark)) return false;
        settle(stream, NGHTTP2_NO_ERROR);
    }
    return true;
}

bool Http2Relay::in_use(const Http2Channel& channel) const {
    return std::any_of(streams_.begin(), streams_.end(),
                       [&](const auto& entry) { return entry.second->channel == &channel; });
}

void Http2Relay::give_up(std::unique_ptr<Http2Channel> channel) {
    const Http2MirrorSession& session = channel->session();
    const Reason reason =
        channel->ended().value_or(session.going_away() ? Reason::mirror_refused : Reason::mirror_closed);
    for (auto next = streams_.begin(); next != streams_.end();) {
        Http2Stream& stream = *(next++)->second;
        if (stream.channel == channel.get()) lose(stream, reason);
    }
    // A mirror that takes connections but no streams: what waits would only be sent round in circles.
    if (!session.ever_began() && (channel->ended() || session.going_away())) lose_waiting(reason);
    channel->close(channel->ended().has_value());
}

void Http2Relay::channel_ticked(Http2Channel& channel) {
    bool owes = tick_streams(channel);
    if (current_.get() == &channel && tick_waiting()) owes = true;
    const bool idle = streams_.empty() && shared_.now - used_at_ > latest_target_->timeouts.idle;
    if (!channel.alive(owes)) {
        channel.end(Reason::response_timeout);
    } else if (idle && current_.get() == &channel) {
        draining_.push_back(std::move(current_));
    }
    work();
    owner_.relay_event();
}

// True: the mirror owes something to a stream of the channel. Nobody waits for a slow client.
bool Http2Relay::tick_streams(const Http2Channel& channel) {
    bool owes = false;
    for (auto next = streams_.begin(); next != streams_.end();) {
        Http2Stream& stream = *(next++)->second;
        if (stream.channel != &channel) continue;
        if (!stream.mirror_owes()) {
            stream.progress_at = shared_.now;
            continue;
        }
        owes = true;
        if (shared_.now - stream.progress_at > stream.target->timeouts.response) lose(stream, Reason::response_timeout);
    }
    return owes;
}

// True: a stream could be begun if the mirror let it.
bool Http2Relay::tick_waiting() {
    for (auto next = held_.begin(); next != held_.end();) {
        Http2Stream& stream = *(next++)->second;
        if (shared_.now - stream.begun_at >= shared_.limits.hold_time) become_ready(stream);
    }
    const bool owes = !ready_.empty();
    for (auto next = ready_.begin(); next != ready_.end();) {
        Http2Stream& stream = *(next++)->second;
        if (shared_.now - stream.progress_at > stream.target->timeouts.response) lose(stream, Reason::response_timeout);
    }
    return owes;
}

}  // namespace umbra
