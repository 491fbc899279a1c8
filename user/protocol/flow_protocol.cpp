#include "protocol/flow_protocol.h"

#include <algorithm>
#include <utility>

namespace umbra {

namespace {

Reason unfinished_reason(CloseKind kind, Reason reason) {
    switch (kind) {
        case CloseKind::finished:
            return Reason::client_closed;
        case CloseKind::reset:
            return Reason::client_reset;
        case CloseKind::shutdown:
            return Reason::shutdown;
        default:
            return reason;
    }
}

}  // namespace

FlowProtocol::FlowProtocol(ProtocolContext& context, const Flow& flow, MessageSink& sink)
    : context_(context),
      tuple_(flow.tuple),
      row_(flow.row),
      fixed_(flow.fixed),
      sink_(sink),
      splitter_(sink, flow.row, context.limits),
      mode_(flow.kind == OpenKind::midstream ? Mode::skipping : Mode::detecting) {
    ledger_seen(row_, &umbra_units::flows);
}

FlowProtocol::~FlowProtocol() { context_.held -= held_; }

void FlowProtocol::data(Bytes bytes, TimeNs now) {
    take(bytes, now);
    account(now);
}

// What the flow holds counts for its worker; what does not fit is given up.
void FlowProtocol::account(TimeNs now) {
    const std::size_t decoder = http2_ ? kDecoderBytes : 0;
    const std::size_t holds = pending_.size() + splitter_.held_bytes() + decoder;
    context_.held += holds - held_;
    held_ = holds;
    if (holds == 0 || !context_.limits.held_bytes.exceeded_by(context_.held)) return;
    abandon(Reason::memory, now);
    context_.held -= std::exchange(held_, 0);
}

void FlowProtocol::take(Bytes bytes, TimeNs now) {
    if (mode_ == Mode::skipping && never_joins()) abandon(skip_reason_, now);
    if (mode_ == Mode::skipping && proof_.proven()) {
        mode_ = Mode::joining;
        splitter_.distrust_next_head();
    }
    switch (mode_) {
        case Mode::detecting:
            return detect_data(bytes, now);
        case Mode::http:
            return http_data(bytes, now);
        case Mode::http2:
            return http2_data(bytes, now);
        case Mode::joining:
            return join_data(bytes, now);
        case Mode::switching:
            return switch_data(bytes, now);
        case Mode::raw:
            return sink_.raw_bytes(bytes, now);
        case Mode::skipping:
            return skip_data(bytes, now);
        case Mode::abandoned:
            return drop(skip_reason_, bytes.size());
    }
}

void FlowProtocol::detect_data(Bytes bytes, TimeNs now) {
    if (!pending_.empty()) pending_.append(as_text(bytes));
    const std::string_view first = pending_.empty() ? as_text(bytes) : std::string_view(pending_);
    const Detection detection = judge(first);
    if (detection == Detection::need_more) {
        if (pending_.empty()) pending_.assign(as_text(bytes));
        return;
    }
    const std::string held = std::exchange(pending_, {});
    begin(detection, held.empty() ? bytes : as_bytes(held), now);
}

Detection FlowProtocol::judge(std::string_view first) const {
    return never_joins() ? *fixed_ : detect(first, context_.limits.head_bytes);
}

void FlowProtocol::begin(Detection protocol, Bytes first, TimeNs now) {
    if (fixed_ == Detection::http1 && protocol != Detection::http1) {
        abandon(Reason::http_invalid, now);
        return drop(skip_reason_, first.size());
    }
    switch (protocol) {
        case Detection::http1:
            mode_ = Mode::http;
            return http_data(first, now);
        case Detection::http2:
            return begin_http2(first, now);
        case Detection::raw:
            return begin_raw(first, now);
        default:
            abandon(Reason::tls, now);
            return drop(skip_reason_, first.size());
    }
}

void FlowProtocol::begin_http2(Bytes first, TimeNs now) {
    Http2Sink* const sink = sink_.http2(now);
    if (!sink) {
        abandon(Reason::unsupported_protocol, now);
        return drop(skip_reason_, first.size());
    }
    http2_ = std::make_unique<Http2Splitter>(*sink, row_, context_.limits);
    mode_ = Mode::http2;
    http2_data(first, now);
}

void FlowProtocol::http2_data(Bytes bytes, TimeNs now) {
    const std::size_t taken = http2_->feed(bytes, now);
    seen_http_ |= http2_->heads() > 0;
    if (!http2_->failed()) return;
    abandon(http2_->fault(), now);
    drop(skip_reason_, bytes.size() - taken);
}

// No more bytes are awaited to tell the protocol: what came is not HTTP, unless it is said to be.
void FlowProtocol::end_detection(TimeNs now) {
    if (mode_ != Mode::detecting || pending_.empty() || fixed_ == Detection::http1) return;
    const std::string first = std::exchange(pending_, {});
    begin_raw(as_bytes(first), now);
}

void FlowProtocol::http_data(Bytes bytes, TimeNs now) {
    const Bytes rest = bytes.subspan(splitter_.feed(bytes, now));
    seen_http_ |= splitter_.heads() > 0;
    switch (splitter_.state()) {
        case Http1Splitter::State::running:
            return;
        case Http1Splitter::State::switching:
            // The next answer may be to an earlier request.
            if (splitter_.heads() > answered_heads_ + 1) {
                abandon(Reason::http_ambiguous, now);
                break;
            }
            mode_ = Mode::switching;
            if (!rest.empty()) switch_data(rest, now);
            return;
        case Http1Splitter::State::closed:
            if (rest.empty()) return;
            abandon(Reason::http_ambiguous, now);
            break;
        case Http1Splitter::State::failed:
            abandon(splitter_.fault(), now);
            break;
    }
    drop(skip_reason_, rest.size());
}

void FlowProtocol::skip_data(Bytes bytes, TimeNs now) {
    if (!body_left_) {
        proof_.skipped_data();
        return drop(skip_reason_, bytes.size());
    }
    const std::size_t of_body = std::min<std::uint64_t>(*body_left_, bytes.size());
    drop(skip_reason_, of_body);
    skip_body(*body_left_ - of_body);
    if (of_body < bytes.size()) http_data(bytes.subspan(of_body), now);
}

// The rest of a broken request: where it ends its head has said.
void FlowProtocol::skip_body(std::uint64_t left) {
    body_left_ = left;
    if (left > 0) return;
    body_left_.reset();
    bump(context_.worker.flows_joined);
    mode_ = Mode::http;
}

void FlowProtocol::join_data(Bytes bytes, TimeNs now) {
    const Bytes rest = bytes.subspan(splitter_.feed(bytes, now));
    if (splitter_.heads() > 0) {
        bump(context_.worker.flows_joined);
        mode_ = Mode::http;
        http_data(rest, now);
    } else if (splitter_.state() == Http1Splitter::State::failed) {
        skip(skip_reason_, now);
        proof_.skipped_data();
        drop(skip_reason_, rest.size());
    }
}

void FlowProtocol::switch_data(Bytes bytes, TimeNs now) {
    if (hold(bytes)) return;
    abandon(Reason::http_ambiguous, now);
    drop(skip_reason_, bytes.size());
}

void FlowProtocol::answer_switch(std::string_view answer, TimeNs now) {
    const bool connected = splitter_.request_was_connect() && begins_success(answer);
    const std::string first = std::exchange(pending_, {});
    answered_heads_ = 0;
    if (!begins_switch(answer) && !connected) {
        splitter_.resume();
        mode_ = Mode::http;
        return http_data(as_bytes(first), now);
    }
    splitter_.restart();
    // The first stream of that HTTP/2 is the request itself: what follows cannot be told without it.
    const bool to_http2 = !connected && splitter_.request_offered_h2c();
    if (splitter_.request_row() && !to_http2) return begin_raw(as_bytes(first), now);
    abandon(splitter_.request_row() ? Reason::h2_upgrade : Reason::unmatched, now);
    drop(skip_reason_, first.size());
}

void FlowProtocol::begin_raw(Bytes first, TimeNs now) {
    mode_ = Mode::raw;
    seen_raw_ = true;
    sink_.raw_begin(now);
    if (!first.empty()) sink_.raw_bytes(first, now);
    if (half_closed_) sink_.raw_half_close(now);
}

void FlowProtocol::gap(std::uint32_t length, TimeNs now) {
    bump(context_.worker.gaps);
    if (!broken_) bump(context_.worker.broken_flows);
    broken_ = true;
    if (splitter_.state() == Http1Splitter::State::closed) return abandon(Reason::gap, now);
    if (mode_ == Mode::abandoned) return;
    if (mode_ == Mode::raw || mode_ == Mode::http2 || never_joins()) return abandon(Reason::gap, now);
    const auto left = mode_ == Mode::skipping ? body_left_ : splitter_.next_request_in();
    if (mode_ == Mode::skipping) {
        proof_.reset();
        body_left_.reset();
    } else {
        skip(mode_ == Mode::joining ? skip_reason_ : Reason::gap, now);
    }
    if (left && *left >= length) skip_body(*left - length);
}

void FlowProtocol::server_payload(Bytes prefix, TimeNs now) {
    const std::string_view text = as_text(prefix);
    if (mode_ == Mode::http && begins_final_response(text)) answered_heads_ = splitter_.heads();
    if (mode_ == Mode::joining && splitter_.holds_bytes() && begins_final_response(text)) skip(skip_reason_, now);
    if (mode_ == Mode::skipping) {
        if (body_left_) return;
        if (proof_.server_payload(prefix) == BoundaryProof::Verdict::hopeless) abandon(skip_reason_, now);
    } else if (mode_ == Mode::switching) {
        if (begins_switch(text) || begins_final_response(text)) answer_switch(text, now);
    } else if (!begins_response(text)) {
        end_detection(now);
    }
}

// A client that pipelines: the answer is to an earlier request, what follows may be the middle of a later one.
void FlowProtocol::answer_unseen(TimeNs) {
    if (mode_ == Mode::skipping) proof_.reset();
}

void FlowProtocol::half_close(TimeNs now) {
    end_detection(now);
    half_closed_ = true;
    if (mode_ == Mode::raw) sink_.raw_half_close(now);
}

void FlowProtocol::close(CloseKind kind, Reason reason, TimeNs now) {
    const Reason why = unfinished_reason(kind, reason);
    splitter_.abandon(why, now);
    if (http2_) http2_->drop_held(why);
    drop_pending(why);
    settle_flow(mode_ == Mode::skipping ? skip_reason_ : why);
    if (!sink_closed_) sink_.close(kind, reason, now);
    sink_closed_ = true;
    mode_ = Mode::abandoned;
    skip_reason_ = why;
    http2_.reset();
    account(now);
}

// Drops the request in progress and what is held of the next, then looks for a boundary.
void FlowProtocol::skip(Reason reason, TimeNs now) {
    splitter_.abandon(reason, now);
    splitter_.restart();
    answered_heads_ = 0;
    drop_pending(reason);
    proof_.reset();
    body_left_.reset();
    skip_reason_ = reason;
    mode_ = Mode::skipping;
}

void FlowProtocol::abandon(Reason reason, TimeNs now) {
    splitter_.abandon(reason, now);
    if (http2_) http2_->drop_held(reason);
    drop_pending(reason);
    mode_ = Mode::abandoned;
    skip_reason_ = reason;
    settle_flow(reason);
    sink_.close(CloseKind::abandoned, reason, now);
    sink_closed_ = true;
    http2_.reset();
    context_.observer.mute(tuple_);
}

bool FlowProtocol::hold(Bytes bytes) {
    if (context_.limits.head_bytes.exceeded_by(pending_.size() + bytes.size())) return false;
    pending_.append(as_text(bytes));
    return true;
}

void FlowProtocol::drop(Reason reason, std::size_t count) { ledger_dropped(row_, reason, &umbra_units::bytes, count); }

void FlowProtocol::drop_pending(Reason reason) {
    drop(reason, pending_.size());
    pending_ = {};
}

void FlowProtocol::settle_flow(Reason reason) {
    if (settled_) return;
    settled_ = true;
    if (seen_raw_ || splitter_.accepted() > 0 || (http2_ && http2_->accepted() > 0)) {
        ledger_mirrored(row_, &umbra_units::flows);
    } else {
        ledger_dropped(row_, seen_http_ ? Reason::unmatched : reason, &umbra_units::flows);
    }
}

}  // namespace umbra
