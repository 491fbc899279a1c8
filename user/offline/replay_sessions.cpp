#include "offline/replay_sessions.h"

#include <algorithm>

namespace umbra::offline {

namespace {

class Session : public StreamSink {
public:
    Session(std::unique_ptr<ReplayFlow> flow, ProtocolContext& context, const FlowProtocol::Flow& description)
        : replay_(std::move(flow)), protocol_(context, description, *replay_) {}

    void data(Bytes bytes, TimeNs) override { protocol_.data(bytes, monotonic_now()); }
    void gap(std::uint32_t length, TimeNs) override { protocol_.gap(length, monotonic_now()); }
    void server_payload(Bytes prefix, TimeNs) override { protocol_.server_payload(prefix, monotonic_now()); }
    void half_close(TimeNs) override { protocol_.half_close(monotonic_now()); }
    void close(CloseKind kind, Reason reason, TimeNs) override { protocol_.close(kind, reason, monotonic_now()); }

private:
    std::unique_ptr<ReplayFlow> replay_;
    FlowProtocol protocol_;
};

}  // namespace

std::unique_ptr<StreamSink> ReplaySessions::open(const FlowTuple& tuple, OpenKind kind, TimeNs) {
    auto replay = setup_.replayer.open(tuple, setup_.row, monotonic_now());
    return std::make_unique<Session>(std::move(replay), protocol_, FlowProtocol::Flow{tuple, setup_.row, kind});
}

umbra_ledger_row* ReplaySessions::row(const FlowTuple& tuple) {
    const auto& ports = setup_.ports;
    const bool wanted = ports.empty() || std::find(ports.begin(), ports.end(), tuple.server.port) != ports.end();
    return wanted ? &setup_.row : nullptr;
}

}  // namespace umbra::offline
