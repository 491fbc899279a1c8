// FlowProtocol: the protocol stage of one flow. Detects what the client speaks, then hands requests or raw bytes on.
// After a lost packet, or on a flow that was open before, it skips to the next proven request boundary; a flow that
// it cannot carry on with is abandoned: its sink is closed, its cloning stopped, its bytes dropped with the reason.
// HTTP/2 needs all bytes from the first on: it is never joined.
// Counts the flow itself as mirrored if anything of it was handed on, else as dropped. Owned by the reassembly stage;
// sink and context outlive it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "protocol/boundary_proof.h"
#include "protocol/detect.h"
#include "protocol/http1_splitter.h"
#include "protocol/http2_splitter.h"
#include "protocol/limits.h"
#include "protocol/message_sink.h"
#include "reassembly/stream_sink.h"

namespace umbra {

// What the flows of one worker share.
struct ProtocolContext {
    StreamObserver& observer;
    umbra_worker_row& worker;
    ProtocolLimits limits = {};
    std::size_t held = 0;  // by all of them
};

class FlowProtocol : public StreamSink {
public:
    struct Flow {
        FlowTuple tuple;
        umbra_ledger_row& row;
        OpenKind kind = OpenKind::handshake;
        // What the client speaks, by the operator's word: http1, http2 or raw; other values say nothing.
        std::optional<Detection> fixed = std::nullopt;
    };
    FlowProtocol(ProtocolContext& context, const Flow& flow, MessageSink& sink);
    ~FlowProtocol() override;
    FlowProtocol(const FlowProtocol&) = delete;
    FlowProtocol& operator=(const FlowProtocol&) = delete;

    void data(Bytes bytes, TimeNs now) override;
    void gap(std::uint32_t length, TimeNs now) override;
    void server_payload(Bytes prefix, TimeNs now) override;
    void answer_unseen(TimeNs now) override;
    void half_close(TimeNs now) override;
    void close(CloseKind kind, Reason reason, TimeNs now) override;

private:
    enum class Mode : std::uint8_t {
        detecting,  // pending_ holds the first bytes
        http,
        http2,
        switching,  // after a request to switch; pending_ holds what follows until the server answers
        skipping,   // dropping under skip_reason_ up to a proven boundary
        joining,    // at a proven boundary, the first head is not judged yet
        raw,
        abandoned,  // dropping under skip_reason_
    };
    void take(Bytes bytes, TimeNs now);
    void account(TimeNs now);
    void detect_data(Bytes bytes, TimeNs now);
    Detection judge(std::string_view first) const;
    void begin(Detection protocol, Bytes first, TimeNs now);
    void begin_http2(Bytes first, TimeNs now);
    void http2_data(Bytes bytes, TimeNs now);
    void end_detection(TimeNs now);
    bool never_joins() const { return fixed_ == Detection::http2 || fixed_ == Detection::raw; }
    void http_data(Bytes bytes, TimeNs now);
    void skip_data(Bytes bytes, TimeNs now);
    void join_data(Bytes bytes, TimeNs now);
    void switch_data(Bytes bytes, TimeNs now);
    void answer_switch(std::string_view answer, TimeNs now);
    void begin_raw(Bytes first, TimeNs now);
    void skip(Reason reason, TimeNs now);
    void skip_body(std::uint64_t left);
    void abandon(Reason reason, TimeNs now);
    bool hold(Bytes bytes);
    void drop(Reason reason, std::size_t count);
    void drop_pending(Reason reason);
    void settle_flow(Reason reason);

    ProtocolContext& context_;
    const FlowTuple tuple_;
    umbra_ledger_row& row_;
    const std::optional<Detection> fixed_;
    MessageSink& sink_;
    Http1Splitter splitter_;
    std::unique_ptr<Http2Splitter> http2_;
    BoundaryProof proof_;
    std::optional<std::uint64_t> body_left_;  // skipping: a boundary is this many bytes on, whatever the server says
    std::string pending_;
    std::size_t held_ = 0;              // of the context's account
    std::uint64_t answered_heads_ = 0;  // of the splitter's, when the server last began a final answer
    Mode mode_ = Mode::detecting;
    Reason skip_reason_ = Reason::midstream;
    bool seen_http_ = false;
    bool seen_raw_ = false;
    bool half_closed_ = false;
    bool broken_ = false;  // a gap was seen
    bool settled_ = false;
    bool sink_closed_ = false;
};

}  // namespace umbra
