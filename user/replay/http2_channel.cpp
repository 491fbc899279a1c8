#include "replay/http2_channel.h"

#include "base/thread_scratch.h"

namespace umbra {

namespace {
constexpr unsigned kReadsPerEvent = 8;
}

Http2Channel::Status Http2Channel::open(Target& target, bool guard) {
    if (opened_) return Status::open;
    if (!link_.connected()) {
        switch (link_.acquire(target, guard)) {
            case MirrorLink::Status::connecting:
                return Status::connecting;
            case MirrorLink::Status::failed:
                return Status::failed;
            case MirrorLink::Status::ready:
                break;
        }
    }
    opened_ = true;
    patience_ = target.timeouts.response / 2;
    heard_at_ = shared_.now;
    flush_soon();
    return Status::open;
}

bool Http2Channel::serves(Target& target, bool guard) {
    if (!link_.connected()) return !opened_ && !ended_;  // open() makes it, or waits for it
    if (gone() || session_.going_away() || !link_.belongs_to(target, guard)) return false;
    patience_ = target.timeouts.response / 2;
    return true;
}

void Http2Channel::link_readable() {
    if (read()) link_.connection().wait_readable();
    owner_.channel_changed(*this);
}

void Http2Channel::link_writable() {
    flush();
    owner_.channel_changed(*this);
}

bool Http2Channel::fail(Reason reason) {
    if (!ended_) ended_ = reason;
    return false;
}

bool Http2Channel::read() {
    if (gone()) return false;
    for (unsigned round = 0; round < kReadsPerEvent; ++round) {
        const IoResult result = link_.read(shared_.read_buffer);
        if (result.kind == IoResult::Kind::blocked) break;
        if (result.kind == IoResult::Kind::reset) return fail(Reason::mirror_reset);
        if (result.kind == IoResult::Kind::closed) return fail(Reason::mirror_closed);
        heard_at_ = shared_.now;
        pinged_at_ = 0;
        flush_soon();
        if (!session_.take(Bytes(shared_.read_buffer).first(result.count))) return fail(Reason::response_invalid);
        if (result.count < shared_.read_buffer.size()) break;
    }
    return true;
}

bool Http2Channel::flush() {
    if (gone()) return false;
    if (!opened_) return true;
    std::string& out =
        thread_scratch<std::string, Http2Channel>();  // not kept per connection: it is empty between calls
    while (!link_.connection().write_blocked()) {
        if (link_.queued() > 0) {
            const IoResult result = link_.send_queued(link_.queued());
            if (result.kind == IoResult::Kind::blocked) return true;
            if (result.kind != IoResult::Kind::done) return fail(Reason::mirror_reset);
        }
        out.clear();
        if (!session_.produce(out, kGatheredSendBytes)) return fail(Reason::response_invalid);
        if (out.empty()) return true;
        if (!send({reinterpret_cast<const std::byte*>(out.data()), out.size()})) return false;
    }
    return true;
}

// What the socket does not take waits in the link's queue: bytes that were produced cannot be produced again.
bool Http2Channel::send(Bytes bytes) {
    const IoResult result = link_.send(bytes);
    if (result.kind == IoResult::Kind::reset) return fail(Reason::mirror_reset);
    const Bytes rest = bytes.subspan(result.count);
    if (rest.empty()) return true;
    if (const auto limit = link_.enqueue(rest)) return fail(*limit);
    return true;
}

void Http2Channel::flush_soon() {
    if (!gone()) link_.send_soon();
}

void Http2Channel::close(bool reset) {
    if (!reset && opened_ && !gone()) {
        session_.go_away();
        flush();
    }
    link_.drop(reset);
}

bool Http2Channel::alive(bool mirror_owes) {
    if (pinged_at_ != 0) return shared_.now - pinged_at_ <= patience_;
    if (!mirror_owes || shared_.now - heard_at_ <= patience_) return true;
    pinged_at_ = shared_.now;
    session_.ping();
    flush_soon();
    return true;
}

}  // namespace umbra
