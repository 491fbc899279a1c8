// FlowProtocol: the protocol stage of one flow. Detects what the client speaks, then hands requests or raw bytes on.
// After a lost packet, or on a flow that was open before, it skips to the next proven request boundary; a flow that
// it cannot carry on with is abandoned: its sink is closed, its cloning stopped, its bytes dropped with the reason.
// Counts the flow itself as mirrored if anything of it was handed on, else as dropped. Owned by the reassembly stage;
// sink and context outlive it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "protocol/boundary_proof.h"
#include "protocol/detect.h"
#include "protocol/http1_splitter.h"
#include "protocol/message_sink.h"
#include "reassembly/stream_sink.h"

namespace umbra {

struct ProtocolLimits {
    std::size_t head_bytes = 64 * 1024;  // of a request's head, and of bytes held until the protocol is known
};

// What the flows of one worker share.
struct ProtocolContext {
    StreamObserver& observer;
    umbra_worker_row& worker;
    ProtocolLimits limits = {};
};

class FlowProtocol : public StreamSink {
public:
    struct Flow {
        FlowTuple tuple;
        umbra_ledger_row& row;
        OpenKind kind = OpenKind::handshake;
        std::optional<Detection> fixed = std::nullopt;
    };
    FlowProtocol(ProtocolContext& context, const Flow& flow, MessageSink& sink);

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
        switching,  // after a request to switch; pending_ holds what follows until the server answers
        skipping,   // dropping under skip_reason_ up to a proven boundary
        joining,    // at a proven boundary, the first head is not judged yet
        raw,
        abandoned,  // dropping under skip_reason_
    };
    void detect_data(Bytes bytes, TimeNs now);
    void http_data(Bytes bytes, TimeNs now);
    void skip_data(Bytes bytes, TimeNs now);
    void join_data(Bytes bytes, TimeNs now);
    void switch_data(Bytes bytes, TimeNs now);
    void answer_switch(bool switched, TimeNs now);
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
    MessageSink& sink_;
    Http1Splitter splitter_;
    BoundaryProof proof_;
    std::optional<std::uint64_t> body_left_;  // skipping: a boundary is this many bytes on, whatever the server says
    std::string pending_;
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
