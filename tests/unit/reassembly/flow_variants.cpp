#include "unit/reassembly/flow_variants.h"

#include <algorithm>

#include "net/seq.h"
#include "unit/flow/packet_writer.h"

namespace umbra::test {

namespace {

constexpr std::size_t kWindow = 64, kInFlight = 64 * 1024, kSuperSegment = 65000, kLatestCopy = 8;
constexpr TimeNs kMergedWithin = 100 * kMillisecond;
constexpr std::uint8_t kNoOperation = 1, kSack = 5;

std::uint32_t read32(const std::string& text, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(text[at + i]);
    return value;
}

void shift_sack_blocks(std::string& options, std::uint32_t by) {
    for (std::size_t at = 0; at + 1 < options.size() && options[at] != 0;) {
        const std::size_t length = options[at] == kNoOperation ? 1 : static_cast<unsigned char>(options[at + 1]);
        if (length == 0 || at + length > options.size()) return;
        for (std::size_t i = at + 2; options[at] == kSack && i + 4 <= at + length; i += 4)
            options.replace(i, 4, be32(read32(options, i) + by));
        at += length;
    }
}

// How far the side's numbers have to move for 2^32 to lie in the middle of its stream.
std::uint32_t distance_to_wrap(const CapturedFlow& flow, bool of_client) {
    std::uint32_t first = 0, end = 0;
    bool known = false;
    for (const auto& segment : flow.segments) {
        if (segment.from_client != of_client || segment.has(kRst)) continue;
        if (!known) first = end = segment.first_seq();
        known = true;
        if (seq_after(segment.end_seq(), end)) end = segment.end_seq();
    }
    return 0u - (first + (end - first) / 2);
}

IpAddress other_version(const IpAddress& address) {
    if (address.is_v4()) {
        IpAddress changed;
        changed.bytes[0] = 0xfd;
        std::copy(address.bytes.begin() + 12, address.bytes.end(), changed.bytes.begin() + 12);
        return changed;
    }
    const std::uint8_t four[] = {10, address.bytes[13], address.bytes[14], address.bytes[15]};
    return IpAddress::v4(four);
}

bool mergeable(const CapturedSegment& segment) {
    return segment.from_client && !segment.payload.empty() && (segment.flags & (kSyn | kRst | kUrg)) == 0;
}

// Client packets with data between two barriers, in the places that they have in the flow.
class ShuffleWindow {
public:
    ShuffleWindow(std::vector<CapturedSegment>& segments, std::mt19937& random)
        : segments_(segments), random_(random) {}

    void add(std::size_t place) {
        if (bytes_ + segments_[place].payload.size() > kInFlight) flush();
        places_.push_back(place);
        bytes_ += segments_[place].payload.size();
        if (places_.size() == kWindow) flush();
    }
    void flush() {
        if (places_.empty()) return;
        const TimeNs time = segments_[places_.front()].time;
        for (std::size_t left = places_.size(); left > 1; --left)
            std::swap(segments_[places_[left - 1]], segments_[places_[random_() % left]]);
        for (std::size_t at = places_.front(); at <= places_.back(); ++at) segments_[at].time = time;
        places_.clear();
        bytes_ = 0;
    }

private:
    std::vector<CapturedSegment>& segments_;
    std::mt19937& random_;
    std::vector<std::size_t> places_;
    std::size_t bytes_ = 0;
};

}  // namespace

void cut_to_bytes(CapturedFlow& flow, std::size_t most) {
    std::vector<CapturedSegment> cut;
    std::size_t made = 0;
    for (const CapturedSegment& segment : flow.segments) {
        const bool whole = !segment.from_client || segment.payload.size() < 2 || segment.has(kSyn | kRst);
        if (whole || made >= most) {
            cut.push_back(segment);
            continue;
        }
        for (std::size_t i = 0; i < segment.payload.size(); ++i, ++made) {
            CapturedSegment piece = segment;
            piece.seq += static_cast<std::uint32_t>(i);
            piece.payload = segment.payload.substr(i, 1);
            if (i + 1 < segment.payload.size()) piece.flags = static_cast<std::uint8_t>(piece.flags & ~kFin);
            cut.push_back(std::move(piece));
        }
    }
    flow.segments = std::move(cut);
}

void shuffle(CapturedFlow& flow, std::mt19937& random) {
    ShuffleWindow window(flow.segments, random);
    std::uint32_t sent_to = 0;
    bool known = false;
    for (std::size_t i = 0; i < flow.segments.size(); ++i) {
        const CapturedSegment& segment = flow.segments[i];
        if (!segment.from_client) continue;
        const bool fixed = segment.has(kSyn | kRst), bare_ack = segment.payload.empty() && !segment.has(kFin);
        const bool again = known && seq_before(segment.seq, sent_to);
        if (fixed || (again && !bare_ack)) window.flush();
        if (segment.has(kSyn) || !known || seq_after(segment.end_seq(), sent_to)) sent_to = segment.end_seq();
        known = true;
        if (!fixed && !bare_ack) window.add(i);
    }
    window.flush();
}

void duplicate(CapturedFlow& flow, std::mt19937& random) {
    std::vector<CapturedSegment> result;
    std::vector<std::pair<std::size_t, std::size_t>> copies;  // after which packet, of which one
    for (std::size_t i = 0; i < flow.segments.size(); ++i) {
        result.push_back(flow.segments[i]);
        if (random() % 10 == 0) copies.emplace_back(i + random() % kLatestCopy, i);
        const bool last = i + 1 == flow.segments.size();
        std::erase_if(copies, [&](const auto& copy) {
            if (copy.first > i && !last) return false;
            result.push_back(flow.segments[copy.second]);
            result.back().time = flow.segments[i].time;
            return true;
        });
    }
    flow.segments = std::move(result);
}

void shift_to_wrap(CapturedFlow& flow) {
    const std::uint32_t by_client = distance_to_wrap(flow, true), by_server = distance_to_wrap(flow, false);
    for (CapturedSegment& segment : flow.segments) {
        const std::uint32_t own = segment.from_client ? by_client : by_server;
        const std::uint32_t other = segment.from_client ? by_server : by_client;
        segment.seq += own;
        if (segment.has(kAck)) segment.ack += other;
        shift_sack_blocks(segment.options, other);
    }
}

void change_ip_version(CapturedFlow& flow) {
    for (Endpoint* const endpoint : {&flow.tuple.client, &flow.tuple.server})
        endpoint->address = other_version(endpoint->address);
}

void merge(CapturedFlow& flow) {
    std::vector<CapturedSegment> merged;
    std::size_t open = 0;  // index + 1 of the segment that may grow
    for (const CapturedSegment& segment : flow.segments) {
        if (mergeable(segment) && open > 0) {
            CapturedSegment& first = merged[open - 1];
            const bool fits = first.payload.size() + segment.payload.size() <= kSuperSegment && !first.has(kFin);
            const bool soon = segment.time < first.time + kMergedWithin;
            if (fits && soon && first.end_seq() == segment.seq) {
                first.payload += segment.payload;
                first.flags |= segment.flags;
                continue;
            }
        }
        merged.push_back(segment);
        const bool pure_ack =
            !segment.from_client && segment.payload.empty() && (segment.flags & (kSyn | kFin | kRst)) == 0;
        if (mergeable(segment))
            open = merged.size();
        else if (!pure_ack)
            open = 0;
    }
    flow.segments = std::move(merged);
}

}  // namespace umbra::test
