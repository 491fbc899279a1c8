#include "differential/trace_view.h"

#include <algorithm>

#include "net/seq.h"

namespace umbra::differential {

namespace {

// One behind the packet's last byte, from the connection's first one.
int end_of(const TcpPacket& tcp, std::uint32_t first_byte) {
    return seq_distance(first_byte, tcp.seq) + static_cast<int>(tcp.payload.size());
}

}  // namespace

TraceView::TraceView(const Script& script, const Trace& trace) : script_(script) {
    for (const TracePacket& packet : trace.packets) {
        const auto decoded = decode({as_bytes(packet.bytes), static_cast<std::uint32_t>(packet.bytes.size()),
                                     LinkType::raw_ip, ChecksumState::trusted, 0},
                                    {});
        if (decoded.status != DecodeStatus::ok) continue;
        const Step* const step = packet.step >= 0 ? &script.steps[static_cast<std::size_t>(packet.step)] : nullptr;
        packets_.push_back({packet.from_client, step, decoded.packet});
    }
}

bool TraceView::server_reset() const {
    return std::any_of(packets_.begin(), packets_.end(),
                       [](const Packet& packet) { return !packet.from_client && (packet.tcp.flags & kRst) != 0; });
}

int TraceView::count_flag(int flag) const {
    return static_cast<int>(std::count_if(packets_.begin(), packets_.end(), [flag](const Packet& packet) {
        return packet.from_client && (packet.tcp.flags & flag) != 0;
    }));
}

int TraceView::connection_of(const Connection& theirs) const {
    int matches[2]{};
    for (int conn = 0; conn < 2; ++conn)
        for (std::size_t at = 0; at < theirs.bytes.size(); ++at)
            for (int content = 0; content < 3; ++content)
                matches[conn] += theirs.bytes[at] == content_byte(conn, static_cast<int>(at), content);
    return matches[1] > matches[0] ? 1 : 0;
}

bool TraceView::acknowledged_beyond(std::size_t wanted, const Connection& theirs) const {
    const std::uint32_t first = script_.first_byte(connection_of(theirs));
    bool other = false;  // the server speaks of a connection with another number
    for (const Packet& packet : packets_) {
        if (packet.from_client || (packet.tcp.flags & kAck) == 0) continue;
        const auto acked = seq_distance(first, packet.tcp.ack);
        if ((packet.tcp.flags & kSyn) != 0) other = acked != 0 && !syn_brought(acked);
        if (!other && acked > static_cast<int>(std::min(wanted, theirs.bytes.size())) &&
            acked <= static_cast<int>(theirs.bytes.size()) + 1)
            return true;
    }
    return false;
}

bool TraceView::contradicted(int at) const {
    bool said[2][256]{};
    for (const Packet& packet : packets_) {
        if (!packet.from_client) continue;
        for (int conn = 0; conn < 2; ++conn) {
            const auto offset = at - seq_distance(script_.first_byte(conn), packet.tcp.seq);
            if (offset >= 0 && offset < static_cast<int>(packet.tcp.payload.size()))
                said[conn][std::to_integer<unsigned>(packet.tcp.payload[static_cast<std::size_t>(offset)])] = true;
        }
    }
    return std::any_of(said, said + 2, [](const bool* of) { return std::count(of, of + 256, true) > 1; });
}

bool TraceView::reset_before_syn() const {
    for (const Packet& packet : packets_) {
        if (!packet.from_client || (packet.tcp.flags & kRst) == 0) continue;
        for (const Packet& later : packets_)
            if (&later > &packet && later.from_client && (later.tcp.flags & (kSyn | kRst)) == kSyn &&
                later.tcp.seq + 1 == packet.tcp.seq)
                return true;
    }
    return false;
}

bool TraceView::syn_has_data() const {
    return std::any_of(packets_.begin(), packets_.end(), [](const Packet& packet) {
        return packet.from_client && (packet.tcp.flags & kSyn) != 0 && !packet.tcp.payload.empty();
    });
}

bool TraceView::syn_brought(int length) const {
    return std::any_of(packets_.begin(), packets_.end(), [length](const Packet& packet) {
        return packet.from_client && (packet.tcp.flags & kSyn) != 0 &&
               static_cast<int>(packet.tcp.payload.size()) == length;
    });
}

bool TraceView::refusable() const {
    int latest = kAbsent;
    for (const Packet& packet : packets_) {
        if (!packet.step || packet.step->kind != kPacket) continue;
        const Step& step = *packet.step;
        if (step.ack != 0 || (step.tsval != kAbsent && (step.tsecr != kLiveTsecr || step.tsval < latest))) return true;
        if (step.tsval != kAbsent) latest = step.tsval;
    }
    return false;
}

bool TraceView::fin_contradicted() const {
    for (const Packet& fin : packets_) {
        if (!fin.step || (fin.tcp.flags & kFin) == 0) continue;
        const int place = end_of(fin.tcp, script_.first_byte(fin.step->conn));
        for (const Packet& packet : packets_) {
            if (!packet.step || packet.step->conn != fin.step->conn) continue;
            const int end = end_of(packet.tcp, script_.first_byte(packet.step->conn));
            if (!packet.tcp.payload.empty() && end > place) return true;
            if ((packet.tcp.flags & kFin) != 0 && end != place) return true;
        }
    }
    return false;
}

bool TraceView::neighbouring_syns() const {
    for (const Packet& one : packets_)
        for (const Packet& other : packets_) {
            if (!one.from_client || !other.from_client || (one.tcp.flags & other.tcp.flags & kSyn) == 0) continue;
            const auto distance = seq_distance(one.tcp.seq, other.tcp.seq);
            if (distance > 0 && distance <= 64 << 10) return true;
        }
    return false;
}

bool TraceView::different_syns() const {
    const Packet* first = nullptr;
    for (const Packet& packet : packets_) {
        if (!packet.from_client || (packet.tcp.flags & kSyn) == 0) continue;
        if (first && first->tcp.seq != packet.tcp.seq) return true;
        first = &packet;
    }
    return false;
}

bool TraceView::malformed_options() const {
    return std::any_of(packets_.begin(), packets_.end(),
                       [](const Packet& packet) { return packet.tcp.options.malformed; });
}

bool TraceView::old_reset() const {
    return std::any_of(packets_.begin(), packets_.end(), [this](const Packet& packet) {
        const auto& first = packets_.front().tcp.options.tsval;
        return packet.from_client && (packet.tcp.flags & kRst) != 0 && first && packet.tcp.options.tsval &&
               seq_before(*packet.tcp.options.tsval, *first);
    });
}

bool TraceView::same_isn_again() const {
    const auto ends = [](const Packet& packet) {
        return (packet.tcp.flags & kRst) != 0 || (packet.from_client && (packet.tcp.flags & kFin) != 0);
    };
    for (const Packet& first : packets_)
        for (const Packet& again : packets_)
            if (&first < &again && first.from_client && again.from_client && first.tcp.seq == again.tcp.seq &&
                (first.tcp.flags & again.tcp.flags & kSyn) != 0 && std::any_of(&first, &again, ends))
                return true;
    return false;
}

bool TraceView::next_connection_early() const {
    bool begun = false;
    for (const Packet& packet : packets_) {
        if (!packet.step) continue;
        if (packet.step->conn == 1) begun = true;
        if (packet.step->conn == 0 && begun) return true;
    }
    return false;
}

bool TraceView::contradicts() const {
    return std::any_of(packets_.begin(), packets_.end(), [](const Packet& packet) {
        if (!packet.step) return false;
        for (std::size_t i = 0; i < packet.tcp.payload.size(); ++i)
            if (std::to_integer<char>(packet.tcp.payload[i]) !=
                content_byte(packet.step->conn, packet.step->at + static_cast<int>(i), 0))
                return true;
        return false;
    });
}

int TraceView::ahead() const {
    int farthest = 0;
    for (const Packet& packet : packets_)
        if (packet.step) farthest = std::max(farthest, packet.step->at + packet.step->len);
    return farthest;
}

// A later packet is older than the bare ACK, which the kernel then refuses, or older than one before it, which the bare
// ACK may have made young again: half of all timestamps are older than any.
bool TraceView::bare_timestamps() const {
    const auto older = [](const Packet& packet, const Packet* from, const Packet* to) {
        return std::any_of(from, to, [&packet](const Packet& other) {
            return other.from_client && other.tcp.options.tsval &&
                   seq_before(*packet.tcp.options.tsval, *other.tcp.options.tsval);
        });
    };
    const Packet* const first = packets_.data();
    return std::any_of(packets_.begin(), packets_.end(), [&](const Packet& bare) {
        if (!bare.from_client || !bare.tcp.payload.empty() || (bare.tcp.flags & (kSyn | kFin | kRst)) != 0)
            return false;
        return bare.tcp.options.tsval && std::any_of(&bare + 1, first + packets_.size(), [&](const Packet& packet) {
                   return packet.from_client && packet.tcp.options.tsval && older(packet, first, &bare + 1);
               });
    });
}

bool TraceView::bare_reset() const {
    for (const Packet& packet : packets_) {
        if (!packet.from_client || (packet.tcp.flags & kSyn) != 0) continue;
        if ((packet.tcp.flags & kRst) != 0) return true;
        if (!packet.tcp.payload.empty()) return false;
    }
    return false;
}

}  // namespace umbra::differential
