#include "replay/http2_branches.h"

#include "replay/replay_flow.h"

namespace umbra {

namespace {

constexpr std::size_t kRememberedStreams = 512;  // ended by the client

std::vector<HeaderField> views(const std::vector<edit::OwnedField>& fields) {
    std::vector<HeaderField> out;
    out.reserve(fields.size());
    for (const auto& field : fields) out.push_back({field.name, field.value, field.never_index});
    return out;
}

}  // namespace

Lane& Http2Branches::lane_of(umbra_ledger_row& row, std::size_t place) {
    Lane*& lane = lanes_[{&row, place}];
    if (!lane) lane = &context_.maker.make_lane(context_.flow, Lane::Kind::flow);
    return *lane;
}

const Http2Branches::Branches& Http2Branches::branches_of(std::uint32_t stream) const {
    static const Branches none;
    const auto found = streams_.find(stream);
    return found == streams_.end() ? none : found->second;
}

umbra_ledger_row* Http2Branches::stream_head(std::uint32_t stream, const RequestHead& head,
                                             std::span<const HeaderField> fields, TimeNs now) {
    shared_.at(now);
    const Selection selection = context_.shared.router.choose(context_.flow, &head, shared_.now);
    if (selection.mirrors.empty()) {
        ledger_seen(context_.row, &umbra_units::requests);
        ledger_dropped(context_.row, selection.reason, &umbra_units::requests);
        return nullptr;
    }
    Branches& branches = streams_[stream];
    for (std::size_t i = 0; i < selection.mirrors.size(); ++i) {
        const Choice& choice = selection.mirrors[i];
        const bool edited = edit::changes_heads(*choice.settings);
        branches.push_back({&lane_of(*choice.row, i), choice.row, edited ? choice.settings : nullptr});
        head_of(branches.back(), stream, fields, choice);
    }
    return branches.front().row;
}

void Http2Branches::head_of(const Branch& branch, std::uint32_t stream, std::span<const HeaderField> fields,
                            const Choice& choice) {
    if (!branch.edits) return branch.lane->http2().head(stream, fields, choice);
    const edit::Context context{context_.flow};
    const auto edited = edit::edit_fields(fields, *branch.edits, context);
    branch.lane->http2().head(stream, views(edited), choice);
}

// The first mirror's row is the rule's, whose bytes protocol has counted.
void Http2Branches::stream_bytes(std::uint32_t stream, std::size_t count) {
    const Branches& branches = branches_of(stream);
    for (std::size_t i = 0; i < branches.size(); ++i) {
        if (i > 0) ledger_seen(*branches[i].row, &umbra_units::bytes, count);
        branches[i].lane->http2().bytes(stream, *branches[i].row, count);
    }
}

void Http2Branches::stream_data(std::uint32_t stream, Bytes data, TimeNs now) {
    shared_.at(now);
    for (const Branch& branch : branches_of(stream)) branch.lane->http2().data(stream, data);
}

void Http2Branches::stream_trailers(std::uint32_t stream, std::span<const HeaderField> fields, TimeNs now) {
    shared_.at(now);
    for (const Branch& branch : branches_of(stream)) {
        if (!branch.edits) {
            branch.lane->http2().trailers(stream, fields);
            continue;
        }
        const auto edited = edit::edit_trailers(fields, *branch.edits);
        branch.lane->http2().trailers(stream, views(edited));
    }
}

void Http2Branches::stream_end(std::uint32_t stream, TimeNs now) {
    shared_.at(now);
    const Branches& branches = branches_of(stream);
    if (branches.empty()) return;
    for (const Branch& branch : branches) branch.lane->http2().end(stream);
    ended_.push_back(stream);
    if (ended_.size() <= kRememberedStreams) return;
    streams_.erase(ended_.front());
    ended_.pop_front();
}

void Http2Branches::stream_reset(std::uint32_t stream, std::uint32_t code, Reason reason, TimeNs now) {
    shared_.at(now);
    for (const Branch& branch : branches_of(stream)) branch.lane->http2().reset(stream, code, reason);
    streams_.erase(stream);
}

void Http2Branches::close(CloseKind kind, Reason reason) {
    for (const auto& [key, lane] : lanes_) lane->close(kind, reason);
    lanes_.clear();
    streams_.clear();
    ended_.clear();
}

}  // namespace umbra
