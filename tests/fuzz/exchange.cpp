// A lossless exchange: a client sends pieces of one stream in any order and as often as it likes, a server acknowledges
// and answers what it has, and the clones and the server's headers are read one after the other or far apart. Whatever
// the order, the whole stream comes out, without a gap, and answers are reported only where the server gave them.
// Input: a byte of setting, two of length, then operations (see Exchange::step).
#include <algorithm>
#include <deque>
#include <set>
#include <vector>

#include "fuzz/property.h"
#include "unit/reassembly/stream_test_support.h"

namespace umbra::fuzz {
namespace {

constexpr std::size_t kLongest = 6000, kMaxOperations = 500, kPiece = 1000;
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK";

struct Clone {
    std::uint32_t offset;
    std::size_t size;
    std::uint32_t acked;  // of the server's bytes
    std::uint8_t flags;
};

struct Header {
    std::uint32_t acked;
    std::uint32_t offset;  // of the server's own bytes
    bool answers;
    bool syn;
    std::size_t clones_before;
};

class Exchange {
public:
    explicit Exchange(Input& input)
        : input_(input),
          setting_(input.u8()),
          wire_((setting_ & 1) != 0 ? Mode::strict : Mode::one_sided, {}, (setting_ & 2) != 0 ? 0xfffff800u : 1000u) {
        for (std::size_t i = 1 + input.u16() % kLongest; i > 0; --i)
            stream_ += static_cast<char>((i * 2654435761u) >> 24);
        received_.resize(stream_.size() + 1);
        clones_.push_back({0, 0, 0, kSyn});
        headers_.push_back({0, 0, false, true, 1});
    }

    void play() {
        for (std::size_t i = 0; i < kMaxOperations && !input_.empty(); ++i) step();
        send_the_rest();
        acknowledge(true);
        while (clones_read_ < clones_.size()) read_clone();
        while (headers_read_ < headers_.size()) read_header();
        drain();
        check();
    }

private:
    void step() {
        const auto what = input_.u8();
        switch (what & 7) {
            case 0:
            case 1: {
                const auto at = static_cast<std::uint32_t>(input_.u16() % stream_.size());
                return send(at, 1 + (what >> 3) * std::size_t{what & 1 ? 1u : 50u}, input_.u8() % 4 == 0);
            }
            case 2:
                return acknowledge(false);
            case 3:
                return acknowledge(true);
            case 4:
                return read_clone();
            case 5:
                return read_header();
            case 6:
                return drain();
            default:
                for (unsigned i = 0; i < 8; ++i) read_clone();
        }
    }

    // What ends the stream ends with FIN, or a FIN follows it.
    void send(std::uint32_t at, std::size_t size, bool knows_answers) {
        size = std::min(size, stream_.size() - at);
        const bool last = at + size == stream_.size();
        clones_.push_back(
            {at, size, knows_answers ? server_sent_ : 0, static_cast<std::uint8_t>(last ? kAck | kFin : kAck)});
        std::fill_n(received_.begin() + at, size + (last ? 1 : 0), true);
    }

    // Nothing is sent again: what a clone once brought must not be needed twice.
    void send_the_rest() {
        for (std::size_t at = 0; at < received_.size();) {
            const auto first = std::find(received_.begin() + at, received_.end(), false);
            const auto end = std::find(first, std::min(first + kPiece, received_.end()), true);
            at = end - received_.begin();
            if (first != end) send(static_cast<std::uint32_t>(first - received_.begin()), end - first, true);
        }
    }

    void acknowledge(bool answers) {
        while (contiguous_ < received_.size() && received_[contiguous_]) ++contiguous_;
        headers_.push_back({contiguous_, server_sent_, answers, false, clones_.size()});
        if (!answers) return;
        answered_.insert(std::min<std::size_t>(contiguous_, stream_.size()));
        server_sent_ += static_cast<std::uint32_t>(kAnswer.size());
    }

    void read_clone() {
        if (clones_read_ == clones_.size()) return;
        const Clone& clone = clones_[clones_read_++];
        if ((clone.flags & kSyn) != 0) return wire_.syn();
        wire_.server_offset = clone.acked;
        wire_.client(clone.offset, std::string_view(stream_).substr(clone.offset, clone.size), clone.flags);
    }

    void read_header() {
        if (headers_read_ == headers_.size() || (setting_ & 1) == 0) {
            headers_read_ = headers_.size();
            return;
        }
        const Header& header = headers_[headers_read_++];
        if (header.syn) return wire_.syn_ack();
        wire_.server_offset = header.offset;
        wire_.server(header.acked, header.answers ? kAnswer : std::string_view{});
    }

    // Tells of the headers that were read and before which all clones were.
    void drain() {
        std::uint64_t settled = 0;
        while (settled < headers_read_ && headers_[settled].clones_before <= clones_read_) ++settled;
        wire_.reassembler.on_capture_drained(wire_.now, std::min(settled, wire_.reassembler.server_headers()));
        require(wire_.observer.closes(), "the ledger closes after every drain");
    }

    void check() {
        require(wire_.streams() == 1, "one connection gives one stream");
        const test::StreamRecord& record = *wire_.record();
        require(record.gaps == 0, "nothing was lost, so there is no gap");
        require(record.bytes == stream_, "the whole stream comes out");
        require(record.half_closed, "the client's end comes out");
        require(!record.violated, "events come in the promised order");
        for (const std::size_t at : record.answers_at)
            require(answered_.count(at) > 0, "answers are reported only where the server gave them");
        wire_.reassembler.shutdown(wire_.now);
        require(wire_.observer.closes() && wire_.observer.ledger.in_flight.bytes == 0, "the ledger closes");
        require(wire_.observer.ledger.mirrored.bytes == stream_.size(), "each byte is handed on once");
    }

    Input& input_;
    const std::uint8_t setting_;
    test::Wire wire_;
    std::string stream_;
    std::vector<bool> received_;  // by the server; the last one is the FIN
    std::deque<Clone> clones_;
    std::deque<Header> headers_;
    std::set<std::size_t> answered_;
    std::size_t clones_read_ = 0, headers_read_ = 0;
    std::uint32_t contiguous_ = 0, server_sent_ = 0;
};

}  // namespace
}  // namespace umbra::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    umbra::fuzz::Input input(data, size);
    umbra::fuzz::Exchange(input).play();
    return 0;
}
