// Scripts of segments, server headers, drains and time for a Reassembler with small limits, in both modes. A client's
// byte is a function of its sequence number, so that whatever is delivered can be checked against what was sent.
// Input: five bytes of setting, then operations (see Script::step).
#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "fuzz/property.h"
#include "unit/reassembly/stream_test_support.h"

namespace umbra::fuzz {
namespace {

constexpr std::size_t kMaxOperations = 400, kFlows = 4, kLargestPayload = 4096;
constexpr std::uint32_t kServerStart = 0xffffff00;

char byte_at(std::uint32_t seq) { return static_cast<char>((seq * 2654435761u) >> 24 ^ seq >> 7); }

ReassemblyLimits limits_of(std::uint8_t flags) {
    ReassemblyLimits limits;
    if ((flags & 1) != 0) limits.on_conflict = ConflictPolicy::as_linux;
    if ((flags & 2) != 0) limits.on_urgent = UrgentPolicy::as_linux;
    if ((flags & 4) != 0) limits.fast_open = false;
    if ((flags & 8) != 0) limits.flows = limits.embryos = limits.closed_flows = limits.orphans = 2;
    if ((flags & 16) != 0) limits.segments = 6;
    if ((flags & 32) != 0) limits.ooo_bytes = limits.unacked_bytes = limits.orphan_bytes = 6000;
    limits.memory = (flags & 64) != 0 ? 3 * 64 * 1024 : 4 << 20;
    if ((flags & 128) != 0) limits.marks = 1;
    return limits;
}

struct Connection {
    FlowTuple tuple;
    std::uint32_t isn = 0;
    std::uint32_t server_next = kServerStart;
    std::set<std::uint32_t> starts;  // sequence numbers at which a stream may begin
};

class Script {
public:
    explicit Script(Input& input)
        : input_(input),
          mode_((input.u8() & 1) != 0 ? Mode::strict : Mode::one_sided),
          limits_(limits_of(input.u8())),
          reassembler_(limits_, mode_, observer_, worker_) {
        const auto isn = input.u8();
        for (std::size_t i = 0; i < kFlows; ++i) {
            connections_[i].tuple = test::tuple_of(static_cast<std::uint16_t>(40000 + i));
            connections_[i].isn = isn < 128 ? isn : 0xffffff00u + isn;
        }
        observer_.refuse = input.u8() == 255;
        observer_.ruled = input.u8() != 255;
    }

    void play() {
        for (std::size_t i = 0; i < kMaxOperations && !input_.empty(); ++i) {
            step();
            require(observer_.closes(), "the ledger closes after every step");
            require(worker_.reassembly_bytes <= limits_.memory, "memory stays within its limit");
            require(worker_.flows <= limits_.flows, "flows stay within their limit");
            require(worker_.embryos <= limits_.embryos, "handshakes stay within their limit");
        }
        reassembler_.shutdown(now_);
        check_end();
    }

private:
    void step();
    void client(Connection& at, std::uint8_t flags, std::uint32_t seq, std::size_t size);
    void server(Connection& at, std::uint8_t flags, std::uint32_t ack);
    void syn(Connection& at);
    void pass_time();
    void read_options(TcpOptions& options, std::uint8_t flags);
    void check_end();
    void check_stream(const test::StreamRecord& record) const;

    Input& input_;
    const Mode mode_;
    const ReassemblyLimits limits_;
    test::RecordingObserver observer_;
    umbra_worker_row worker_{};
    Reassembler reassembler_;
    std::array<Connection, kFlows> connections_;
    TimeNs now_ = 100 * kSecond;
    bool contents_known_ = true;  // nothing was sent that changes what a position holds
    bool fin_sent_ = false;       // bytes behind it contradict it
};

void Script::step() {
    const auto what = input_.u8();
    Connection& at = connections_[what >> 6];
    static constexpr std::uint8_t kOdd[] = {kRst,        kRst | kAck,        kFin,        0,   kSyn | kAck | kFin,
                                            kAck | kUrg, kAck | kFin | kRst, kAck | kFin, kAck};
    switch (what & 15) {
        case 0:
            return syn(at);
        case 1:
            return server(at, kSyn | kAck, at.isn + 1 + input_.u8() % 4);
        case 2:
            return server(at, input_.u8() % 4 == 0 ? kAck | kFin : kAck, at.isn + 1 + input_.u16());
        case 3:
            return server(at, kOdd[input_.u8() % std::size(kOdd)], at.isn + 1 + input_.u16());
        case 4: {
            const auto headers = reassembler_.server_headers();
            return reassembler_.on_capture_drained(now_, headers - std::min<std::uint64_t>(headers, input_.u8() & 1));
        }
        case 5:
            return pass_time();
        case 6: {
            const auto flags = kOdd[input_.u8() % std::size(kOdd)];
            return client(at, flags, at.isn + 1 + input_.u16() - 16, input_.u8());
        }
        case 7:
            return client(at, kAck | kFin, at.isn + 1 + input_.u16(), input_.u8());
        case 8:
            at.isn += 1u << 20;
            return;
        case 9:
            return client(at, kAck, at.isn + 1 + input_.u16(), input_.u16() % kLargestPayload);
        default:
            return client(at, kAck, at.isn + 1 + input_.u8(), input_.u8() % 64);
    }
}

void Script::read_options(TcpOptions& options, std::uint8_t flags) {
    if ((flags & 1) != 0) options.tsval = 1000 + input_.u8();
    if ((flags & 2) != 0) options.sack_permitted = true;
    if ((flags & 4) != 0) options.window_scale = input_.u8() % 15;
    if ((flags & 0x78) == 0x78) options.mptcp = true;
    if ((flags & 0x87) == 0x87) options.md5 = true;
}

void Script::client(Connection& at, std::uint8_t flags, std::uint32_t seq, std::size_t size) {
    Segment segment;
    segment.tuple = at.tuple;
    segment.seq = seq;
    segment.flags = flags;
    segment.window = 1000;
    segment.time = now_;
    const auto shape = input_.u8();
    segment.ack = at.server_next + (shape < 8 ? shape : 0);
    if ((shape & 0x90) == 0x90) read_options(segment.options, input_.u8());
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = byte_at(seq + static_cast<std::uint32_t>(i) + ((flags & kSyn) != 0 ? 1 : 0));
    if ((flags & kUrg) != 0) {
        segment.urgent_pointer = input_.u8();
        contents_known_ &= limits_.on_urgent == UrgentPolicy::drop;
    }
    if ((shape & 0x7f) == 0x7f && size > 0) {
        text[input_.u8() % size] = '#';
        contents_known_ = false;
    }
    fin_sent_ |= (flags & kFin) != 0;
    segment.payload = as_bytes(text);
    reassembler_.on_segment(segment);
}

void Script::syn(Connection& at) {
    at.starts.insert(at.isn + 1);
    client(at, kSyn, at.isn, input_.u8() % 8 == 0 ? input_.u8() : 0);
}

void Script::server(Connection& at, std::uint8_t flags, std::uint32_t ack) {
    ServerHeader header;
    header.tuple = at.tuple;
    header.seq = (flags & kSyn) != 0 ? kServerStart - 1 : at.server_next;
    header.ack = ack;
    header.flags = flags;
    header.window = 64000;
    header.time = now_;
    const auto shape = input_.u8();
    const std::string text = (shape & 3) == 0 && (flags & kSyn) == 0 ? "HTTP/1.1 200 OK" : "";
    header.payload_len = static_cast<std::uint32_t>(text.size());
    header.prefix = as_bytes(text);
    if ((shape & 4) != 0) read_options(header.options, input_.u8());
    at.starts.insert(ack);
    reassembler_.on_server(header);
    if ((shape & 8) == 0) at.server_next += header.payload_len + ((flags & kFin) != 0 ? 1 : 0);
}

void Script::pass_time() {
    static constexpr TimeNs kSpans[] = {50 * kMillisecond, 400 * kMillisecond, 1100 * kMillisecond,
                                        11 * kSecond,      70 * kSecond,       700 * kSecond};
    now_ += kSpans[input_.u8() % std::size(kSpans)];
    reassembler_.tick(now_);
}

void Script::check_end() {
    require(observer_.closes(), "the ledger closes at the end");
    const umbra_units& left = observer_.ledger.in_flight;
    require(left.bytes == 0 && left.flows == 0, "nothing is in flight after the end");
    require(worker_.flows == 0 && worker_.embryos == 0 && worker_.reassembly_bytes == 0, "nothing is held at the end");
    require(!reassembler_.waiting(), "nothing waits after the end");
    for (const auto& record : observer_.records) {
        require(record->closed, "every stream is closed");
        require(!record->violated, "events come in the promised order");
        if (contents_known_) check_stream(*record);
    }
    if (contents_known_ && !fin_sent_)
        require(observer_.dropped(Reason::overlap_conflict) == 0, "equal copies never contradict");
}

// The stream is what the client sent from one of the possible starts on, gaps apart.
void Script::check_stream(const test::StreamRecord& record) const {
    const auto& connection = connections_[record.tuple.client.port - 40000u];
    const auto matches = [&record](std::uint32_t seq) {
        auto gap = record.gaps_at.begin();
        for (std::size_t i = 0; i < record.bytes.size(); ++i, ++seq) {
            for (; gap != record.gaps_at.end() && gap->first == i; ++gap) seq += gap->second;
            if (record.bytes[i] != byte_at(seq)) return false;
        }
        return true;
    };
    for (const std::uint32_t start : connection.starts)
        if (matches(start)) return;
    require(false, "delivered bytes are those that the client sent, in order");
}

}  // namespace
}  // namespace umbra::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    umbra::fuzz::Input input(data, size);
    umbra::fuzz::Script(input).play();
    return 0;
}
