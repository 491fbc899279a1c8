// Http2Branches: the HTTP/2 side of a ReplayFlow. Asks the router once per stream and gives each mirror of the rule the
// same calls, in a lane of its own for this client connection; remembers which streams belong to which rows, also for a
// while after their end, because the client may still reset them.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "edit/edit.h"
#include "protocol/http2_sink.h"
#include "replay/lane.h"

namespace umbra {

class LaneMaker;

class Http2Branches : public Http2Sink {
public:
    // What the ReplayFlow is made of; it outlives the branches.
    struct Context {
        ReplayShared& shared;
        LaneMaker& maker;
        const FlowTuple& flow;
        umbra_ledger_row& row;
    };
    explicit Http2Branches(const Context& context) : context_(context), shared_(context.shared) {}

    umbra_ledger_row* stream_head(std::uint32_t stream, const RequestHead& head, std::span<const HeaderField> fields,
                                  TimeNs now) override;
    void stream_bytes(std::uint32_t stream, std::size_t count) override;
    void stream_data(std::uint32_t stream, Bytes data, TimeNs now) override;
    void stream_trailers(std::uint32_t stream, std::span<const HeaderField> fields, TimeNs now) override;
    void stream_end(std::uint32_t stream, TimeNs now) override;
    void stream_reset(std::uint32_t stream, std::uint32_t code, Reason reason, TimeNs now) override;
    // Of the flow: the lanes are on their own afterwards.
    void close(CloseKind kind, Reason reason);

private:
    struct Branch {
        Lane* lane = nullptr;
        umbra_ledger_row* row = nullptr;
        std::shared_ptr<const rules::MirrorSettings> edits;  // null: the client's own fields
    };
    using Branches = std::vector<Branch>;
    Lane& lane_of(umbra_ledger_row& row, std::size_t place);
    const Branches& branches_of(std::uint32_t stream) const;
    void head_of(const Branch& branch, std::uint32_t stream, std::span<const HeaderField> fields, const Choice& choice);

    const Context context_;
    ReplayShared& shared_;
    std::map<std::pair<umbra_ledger_row*, std::size_t>, Lane*> lanes_;
    std::unordered_map<std::uint32_t, Branches> streams_;
    std::deque<std::uint32_t> ended_;  // of streams_, oldest first
};

}  // namespace umbra
