// Http1Splitter: cuts the client's bytes into requests for a MessageSink. A head is held until it is whole and
// judged; body bytes pass through. The same bytes give the same requests however they were cut into pieces.
// Not here: joining a flow in the middle, and what to do after a fault (see FlowProtocol).
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ledger.h"
#include "protocol/limits.h"
#include "protocol/message_sink.h"
#include "wire/http1_request.h"

namespace umbra {

class Http1Splitter {
public:
    enum class State : std::uint8_t {
        running,
        switching,  // a request that asks for another protocol has ended: the server's answer decides
        closed,     // a request that ends the connection has ended: nothing may follow
        failed,     // see fault(); the open request was aborted, held bytes wait for drop_held()
    };

    // The limits outlive it.
    Http1Splitter(MessageSink& sink, umbra_ledger_row& flow_row, const ProtocolLimits& limits);

    // Takes bytes while the state is running; the rest is the caller's, whose drops are counted in the flow's row.
    std::size_t feed(Bytes bytes, TimeNs now);
    // Aborts the open request and drops the held part of a head.
    void abandon(Reason reason, TimeNs now);
    void drop_held(Reason reason);
    // The server kept HTTP after a request to switch.
    void resume();
    // The caller joins at a new boundary, or leaves HTTP.
    void restart();
    // The next head is a guess: it must begin with a registered method, so that "OST" is not taken for one.
    void distrust_next_head() { distrusted_ = true; }

    State state() const { return state_; }
    Reason fault() const { return fault_; }
    std::uint64_t heads() const { return heads_; }        // judged good since restart()
    std::uint64_t accepted() const { return accepted_; }  // that the sink took, in all
    bool holds_bytes() const { return !held_.empty(); }
    std::size_t held_bytes() const { return held_.size(); }
    // How many bytes on the next request begins, if the body at hand says it and nothing but a request may follow.
    std::optional<std::uint64_t> next_request_in() const;
    bool request_was_connect() const { return connect_; }
    bool request_offered_h2c() const { return h2c_; }
    umbra_ledger_row* request_row() const { return row_; }  // of the latest request; null: it was refused

private:
    std::size_t feed_head(Bytes bytes, TimeNs now);
    std::size_t feed_body(Bytes bytes, TimeNs now);
    std::size_t begin_request(std::string_view head, Bytes after_head, TimeNs now);
    void emit(Bytes bytes, TimeNs now);
    void end_request(TimeNs now);
    void fail(Reason reason, TimeNs now);

    MessageSink& sink_;
    umbra_ledger_row& flow_row_;
    umbra_ledger_row* row_ = nullptr;
    const Bound& max_head_;
    wire::RequestParser parser_;
    wire::HeadEnd head_end_;
    std::string held_;  // the head so far, when it came in pieces
    std::uint64_t heads_ = 0;
    std::uint64_t accepted_ = 0;
    State state_ = State::running;
    Reason fault_ = Reason::http_invalid;
    bool distrusted_ = false;
    bool in_body_ = false;
    bool close_after_ = false;
    bool switch_after_ = false;
    bool connect_ = false;  // of the latest request
    bool h2c_ = false;      // the same
};

}  // namespace umbra
