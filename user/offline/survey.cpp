#include "offline/survey.h"

#include <utility>

namespace umbra::offline {

Survey::Flow& Survey::flow(const FlowTuple& tuple) {
    const auto hash = tuple_hash(tuple, 0);
    Flow* const known = flows_.find(tuple, hash);
    Flow& flow = known ? *known : flows_.insert(tuple, hash);
    flows_.touch(flow);
    return flow;
}

void Survey::count(const IpAddress& sender, bool payload) {
    const bool bad = std::exchange(bad_checksum_, false);
    const auto known = senders_.find(sender);
    if (known == senders_.end() && senders_.size() >= kSenders) return;
    Checksums& sums = known == senders_.end() ? senders_[sender] : known->second;
    ++(bad ? sums.bad : sums.good);
    if (payload) ++(bad ? sums.bad_payload : sums.good_payload);
}

void Survey::on_segment(const Segment& segment) {
    count(segment.tuple.client.address, !segment.payload.empty());
    if ((segment.flags & (kSyn | kAck)) == kSyn) flow(segment.tuple).syn = true;
}

void Survey::on_server(const ServerHeader& header) {
    count(header.tuple.server.address, header.payload_len > 0);
    Flow& entry = flow(header.tuple);
    entry.server = true;
    if ((header.flags & kSyn) != 0) entry.syn_ack = true;
}

bool Survey::shows_server(const FlowTuple& tuple) const {
    const Flow* const known = flows_.find(tuple, tuple_hash(tuple, 0));
    return known && (known->syn ? known->syn_ack : known->server);
}

bool Survey::offloads(const IpAddress& sender) const {
    const auto known = senders_.find(sender);
    if (known == senders_.end()) return false;
    const Checksums& sums = known->second;
    return sums.bad > sums.good || (sums.bad_payload > 0 && sums.good_payload == 0);
}

}  // namespace umbra::offline
