#include "protocol/http1_splitter.h"

#include <algorithm>

#include "base/thread_scratch.h"

namespace umbra {

namespace {

constexpr std::size_t kKeptCapacity = 4 * 1024;

Reason reason_of(wire::HttpFault fault) {
    return fault == wire::HttpFault::ambiguous ? Reason::http_ambiguous : Reason::http_invalid;
}

// One head is parsed at a time and its views live for one call, so a thread's flows share the room for them.
struct HeadScratch {
    wire::Http1Head parsed;
    RequestHead head;
};
HeadScratch& scratch_of_thread() { return thread_scratch<HeadScratch, HeadScratch>(); }

// None of them is the end of another one.
bool is_registered(std::string_view method) {
    constexpr std::string_view kMethods[] = {"GET",     "HEAD",  "POST",  "PUT",    "DELETE",
                                             "OPTIONS", "PATCH", "TRACE", "CONNECT"};
    return std::ranges::find(kMethods, method) != std::end(kMethods);
}

// "Upgrade: h2c", also among other protocols.
bool offers_h2c(const RequestHead& head) {
    const auto lower = [](std::string_view text) {
        std::string out(text);
        for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        return out;
    };
    const auto is_separator = [](char c) { return c == ',' || c == ' ' || c == '\t'; };
    return std::ranges::any_of(head.headers, [&](const auto& header) {
        if (lower(header.first) != "upgrade") return false;
        const std::string offered = lower(header.second);
        for (std::size_t at = offered.find("h2c"); at != offered.npos; at = offered.find("h2c", at + 1)) {
            const bool starts = at == 0 || is_separator(offered[at - 1]);
            if (starts && (at + 3 == offered.size() || is_separator(offered[at + 3]))) return true;
        }
        return false;
    });
}

void to_request_head(wire::Http1Head& parsed, RequestHead& out) {
    out.method = parsed.method;
    out.target = parsed.target;
    out.version_minor = parsed.version_minor;
    out.headers.swap(parsed.headers);
    out.close = parsed.close;
    out.upgrade = parsed.upgrade;
}

}  // namespace

Http1Splitter::Http1Splitter(MessageSink& sink, umbra_ledger_row& flow_row, const ProtocolLimits& limits)
    : sink_(sink), flow_row_(flow_row), max_head_(limits.head_bytes), parser_(limits.chunked) {}

std::size_t Http1Splitter::feed(Bytes bytes, TimeNs now) {
    std::size_t taken = 0;
    while (taken < bytes.size() && state_ == State::running) {
        const Bytes rest = bytes.subspan(taken);
        taken += in_body_ ? feed_body(rest, now) : feed_head(rest, now);
    }
    return taken;
}

std::size_t Http1Splitter::feed_head(Bytes bytes, TimeNs now) {
    const Bytes piece = bytes.first(std::min(bytes.size(), max_head_ - held_.size()));
    if (max_head_.forced()) {
        fail(Reason::http_head_size, now);
        return 0;
    }
    const auto found = head_end_.scan(as_text(piece));
    if (found.fault != wire::HttpFault::none) {
        fail(reason_of(found.fault), now);
        return 0;
    }
    if (found.end && held_.empty()) {
        return begin_request(as_text(piece.first(*found.end)), bytes.subspan(*found.end), now);
    }
    if (!found.end && held_.size() + piece.size() == max_head_) {
        fail(Reason::http_head_size, now);
        return 0;
    }
    const std::size_t part = found.end.value_or(piece.size());
    held_.append(as_text(piece.first(part)));
    if (found.end) begin_request(held_, {}, now);
    return part;
}

// Returns how many bytes of the view were taken, for a head that lies in the view; `head` and `after_head` adjoin.
std::size_t Http1Splitter::begin_request(std::string_view head, Bytes after_head, TimeNs now) {
    HeadScratch& scratch = scratch_of_thread();
    wire::Http1Head& parsed = scratch.parsed;
    if (const auto fault = parser_.head(head, parsed); fault != wire::HttpFault::none) {
        fail(reason_of(fault), now);
        return 0;
    }
    if (distrusted_ && !is_registered(parsed.method)) {
        fail(Reason::http_invalid, now);
        return 0;
    }
    distrusted_ = false;
    head_end_.reset();
    const bool has_body = parsed.body != wire::BodyKind::none;
    const bool by_length = parsed.body == wire::BodyKind::length;
    const std::size_t at_hand = by_length ? std::min<std::uint64_t>(parsed.content_length, after_head.size()) : 0;
    to_request_head(parsed, scratch.head);
    scratch.head.size = head.size();
    scratch.head.whole = !has_body || (by_length && at_hand == parsed.content_length);
    close_after_ = scratch.head.close;
    switch_after_ = scratch.head.upgrade;
    connect_ = scratch.head.method == "CONNECT";
    h2c_ = switch_after_ && offers_h2c(scratch.head);
    ++heads_;
    in_body_ = true;
    row_ = sink_.head(scratch.head, now);
    if (row_) ++accepted_;
    scratch.head.headers.swap(parsed.headers);
    emit(Bytes(reinterpret_cast<const std::byte*>(head.data()), head.size() + at_hand), now);
    const std::size_t taken = head.size() + at_hand;
    held_.clear();
    if (held_.capacity() > kKeptCapacity) held_.shrink_to_fit();
    const bool done = !has_body || (by_length && parser_.body(after_head.first(at_hand)).done);
    if (done) end_request(now);
    return taken;
}

std::size_t Http1Splitter::feed_body(Bytes bytes, TimeNs now) {
    const auto step = parser_.body(bytes);
    if (step.consumed > 0) emit(bytes.first(step.consumed), now);
    if (step.done) {
        end_request(now);
    } else if (step.fault != wire::HttpFault::none) {
        fail(reason_of(step.fault), now);
    }
    return step.consumed;
}

void Http1Splitter::emit(Bytes bytes, TimeNs now) {
    if (!row_) {
        ledger_dropped(flow_row_, Reason::unmatched, &umbra_units::bytes, bytes.size());
        return;
    }
    if (row_ != &flow_row_) {
        ledger_dropped(flow_row_, Reason::other_rule, &umbra_units::bytes, bytes.size());
        ledger_seen(*row_, &umbra_units::bytes, bytes.size());
    }
    sink_.bytes(bytes, now);
}

void Http1Splitter::end_request(TimeNs now) {
    in_body_ = false;
    if (switch_after_) {
        state_ = State::switching;
    } else if (close_after_) {
        state_ = State::closed;
    }
    if (row_) sink_.end(now);
}

void Http1Splitter::fail(Reason reason, TimeNs now) {
    if (in_body_ && row_) sink_.abort(reason, now);
    in_body_ = false;
    state_ = State::failed;
    fault_ = reason;
}

void Http1Splitter::drop_held(Reason reason) {
    ledger_dropped(flow_row_, reason, &umbra_units::bytes, held_.size());
    held_ = {};
    head_end_.reset();
}

void Http1Splitter::abandon(Reason reason, TimeNs now) {
    fail(reason, now);
    drop_held(reason);
}

std::optional<std::uint64_t> Http1Splitter::next_request_in() const {
    if (!in_body_ || close_after_ || switch_after_) return std::nullopt;
    return parser_.body_left();
}

void Http1Splitter::resume() {
    const bool ended = close_after_;
    restart();
    if (ended) state_ = State::closed;
}

void Http1Splitter::restart() {
    state_ = State::running;
    in_body_ = false;
    distrusted_ = false;
    heads_ = 0;
    head_end_.reset();
}

}  // namespace umbra
