#include "offline/stream_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "net/seq.h"

namespace umbra::offline {

namespace {

std::string name_part(const Endpoint& endpoint) {
    std::string address = endpoint.address.to_string();
    std::replace(address.begin(), address.end(), ':', '_');
    return address + "." + std::to_string(endpoint.port);
}

bool is_plain_syn(const SegmentHeader& header) { return (header.flags & (kSyn | kAck | kRst | kFin)) == kSyn; }

// What the client's packets say, as far as they are in order.
void follow_client(StreamRecord& record, const Segment& segment) {
    const std::uint32_t first = record.client_isn + 1;
    if (record.syn && (segment.flags & (kAck | kSyn | kRst)) == kAck && !seq_before(segment.seq, first))
        record.established = true;
    const bool in_order = record.established && !record.delivered && segment.seq == first;
    if ((segment.flags & kRst) != 0) {
        record.over = true;
        record.rst |= in_order && !record.fin;
    } else if ((segment.flags & (kFin | kAck)) == (kFin | kAck)) {
        record.over = true;
        record.fin |= in_order && !record.rst && segment.payload.empty();
    }
}

}  // namespace

const char* state_name(StreamState state) {
    switch (state) {
        case StreamState::nohs:
            return "nohs";
        case StreamState::open:
            return "open";
        case StreamState::eof:
            return "EOF";
        case StreamState::reset:
            return "ECONNRESET";
    }
    return "open";
}

StreamState StreamRecord::state() const {
    if (!delivered && !established) return StreamState::nohs;
    if (cut) return StreamState::open;
    if (fin) return StreamState::eof;
    return rst ? StreamState::reset : StreamState::open;
}

StreamRecord* StreamIndex::latest(const FlowTuple& tuple) {
    const auto known = latest_.find(tuple);
    return known == latest_.end() ? nullptr : &records_[known->second];
}

StreamRecord* StreamIndex::add(const FlowTuple& tuple, TimeNs now) {
    if (records_.size() >= max_streams_) {
        ++unlisted_;
        return nullptr;
    }
    const auto number = static_cast<std::uint32_t>(records_.size());
    const auto [known, first] = latest_.try_emplace(tuple, number);
    StreamRecord& record = records_.emplace_back();
    if (!first) record.previous = std::exchange(known->second, number);
    record.tuple = tuple;
    record.first = record.last = now;
    return &record;
}

// A new connection of the tuple. An attempt that led to nothing is overwritten by the next.
StreamRecord* StreamIndex::renew(StreamRecord* record, const FlowTuple& tuple, TimeNs now) {
    const bool failed_attempt = record && record->syn && !record->established && !record->delivered;
    if (!failed_attempt) return add(tuple, now);
    record->over = record->retried = false;
    record->acked = 0;
    return record;
}

StreamRecord* StreamIndex::on_syn(StreamRecord* record, const Segment& segment) {
    if (record && record->syn && segment.seq == record->client_isn) return record;
    if (record && !record->over && (record->established || record->delivered)) {
        record->retried = true;
        record->next_isn = segment.seq;
        return record;
    }
    record = renew(record, segment.tuple, segment.time);
    if (!record) return nullptr;
    record->syn = true;
    record->client_isn = segment.seq;
    return record;
}

void StreamIndex::on_segment(const Segment& segment) {
    StreamRecord* record = latest(segment.tuple);
    if (is_plain_syn(segment))
        record = on_syn(record, segment);
    else if (!record)
        record = add(segment.tuple, segment.time);
    if (!record) return;
    ++record->packets;
    record->last = segment.time;
    follow_client(*record, segment);
}

StreamRecord* StreamIndex::on_syn_ack(StreamRecord* record, const ServerHeader& header) {
    const std::uint32_t isn = header.ack - 1;
    if (record && record->syn && !record->retried) {
        const auto covered = seq_distance(record->client_isn, isn);
        if (covered >= 0 && covered < (64 << 10)) return record;
    }
    const bool confirms_next = record && record->retried && record->next_isn == isn;
    if (record && !confirms_next && !record->over && (record->syn || record->delivered)) return record;
    if (!record || confirms_next || record->over) record = add(header.tuple, header.time);
    if (!record) return nullptr;
    record->syn = true;
    record->client_isn = isn;
    return record;
}

void StreamIndex::on_server(const ServerHeader& header) {
    StreamRecord* record = latest(header.tuple);
    const bool syn_ack = (header.flags & (kSyn | kAck)) == (kSyn | kAck);
    if (syn_ack)
        record = on_syn_ack(record, header);
    else if (!record)
        record = add(header.tuple, header.time);
    if (!record) return;
    ++record->packets;
    record->last = header.time;
    if ((header.flags & (kFin | kRst)) != 0) record->over = true;
    if ((header.flags & kAck) == 0 || (header.flags & kRst) != 0) return;
    if (!record->server_seen || syn_ack) record->server_ack = record->syn ? record->client_isn + 1 : header.ack;
    record->server_seen = true;
    if (const auto ahead = seq_distance(record->server_ack, header.ack); ahead > 0) {
        record->acked += static_cast<std::uint32_t>(ahead);
        record->server_ack = header.ack;
    }
}

std::optional<std::uint32_t> StreamIndex::begin(const FlowTuple& tuple, bool midstream) {
    StreamRecord* record = latest(tuple);
    if (!record || record->delivered) record = add(tuple, record ? record->last : 0);
    if (!record) return std::nullopt;
    record->delivered = true;
    record->midstream = midstream;
    record->fin = record->rst = false;
    return latest_[tuple];
}

void StreamIndex::settle() {
    for (StreamRecord& record : records_) {
        if (record.previous == StreamRecord::kNone) continue;
        if (record.state() == StreamState::nohs) {
            record.listed = false;
            continue;
        }
        for (auto number = record.previous; number != StreamRecord::kNone; number = records_[number].previous) {
            if (records_[number].state() != StreamState::nohs) break;
            records_[number].listed = false;
        }
    }
}

std::string StreamIndex::file_name(std::size_t number) const {
    const FlowTuple& tuple = records_[number].tuple;
    return fmt::format("{:04}_{}-{}.client", number + 1, name_part(tuple.client), name_part(tuple.server));
}

}  // namespace umbra::offline
