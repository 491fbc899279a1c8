// Random scripts against a naive model, variants of one script that must give the same, and the ledger after both.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "unit/reassembly/stream_test_support.h"

namespace umbra::test {
namespace {

struct Piece {
    std::uint32_t start;
    std::string bytes;
    std::uint32_t end() const { return start + static_cast<std::uint32_t>(bytes.size()); }
};

// The overlap rule on a plain list: who starts lowest among the kept segments has a byte.
class Model {
public:
    void add(const Piece& piece) {
        if (piece.end() <= out.size()) return;
        if (piece.start <= out.size()) {
            out += piece.bytes.substr(out.size() - piece.start);
            return drain();
        }
        const auto before = [&] {
            auto best = queued.end();
            for (auto at = queued.begin(); at != queued.end(); ++at)
                if (at->start <= piece.start && (best == queued.end() || at->start > best->start)) best = at;
            return best;
        }();
        if (before != queued.end() && before->end() >= piece.end()) return;
        if (before != queued.end() && before->start == piece.start) queued.erase(before);
        std::erase_if(queued, [&](const Piece& q) { return q.start > piece.start && q.end() <= piece.end(); });
        queued.push_back(piece);
        std::sort(queued.begin(), queued.end(), [](const Piece& a, const Piece& b) { return a.start < b.start; });
    }
    std::string out;

private:
    void drain() {
        while (!queued.empty() && queued.front().start <= out.size()) {
            const Piece first = queued.front();
            queued.erase(queued.begin());
            if (first.end() > out.size()) out += first.bytes.substr(out.size() - first.start);
        }
    }
    std::vector<Piece> queued;
};

std::string random_text(std::mt19937& random, std::size_t size) {
    std::string text(size, ' ');
    for (char& byte : text) byte = static_cast<char>('a' + random() % 26);
    return text;
}

TEST(RandomScripts, ContradictingOverlapsEqualTheModel) {
    for (unsigned seed = 0; seed < 3000; ++seed) {
        std::mt19937 random(seed);
        Wire wire(Mode::one_sided, as_linux(), static_cast<std::uint32_t>(random()));
        wire.syn();
        Model model;
        const std::uint32_t span = 8 + random() % 60;
        for (int i = 0; i < 40; ++i) {
            const Piece piece{static_cast<std::uint32_t>(random() % span), random_text(random, 1 + random() % 12)};
            model.add(piece);
            wire.client(piece.start, piece.bytes);
        }
        ASSERT_EQ(wire.bytes(), model.out) << "seed " << seed;
        ASSERT_TRUE(wire.observer.closes()) << "seed " << seed;
        wire.reassembler.shutdown(wire.now);
        ASSERT_EQ(wire.observer.ledger.in_flight.bytes, 0u);
        ASSERT_EQ(wire.worker.reassembly_bytes, 0u);
    }
}

std::vector<Piece> cut(std::mt19937& random, const std::string& text, std::size_t largest) {
    std::vector<Piece> pieces;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = std::min<std::size_t>(1 + random() % largest, text.size() - at);
        pieces.push_back({static_cast<std::uint32_t>(at), text.substr(at, size)});
        at += size;
    }
    return pieces;
}

void shuffle_in_windows(std::mt19937& random, std::vector<Piece>& pieces, std::size_t window) {
    for (std::size_t at = 0; at < pieces.size(); at += window) {
        const auto end = pieces.begin() + static_cast<std::ptrdiff_t>(std::min(at + window, pieces.size()));
        std::shuffle(pieces.begin() + static_cast<std::ptrdiff_t>(at), end, random);
    }
}

void duplicate_some(std::mt19937& random, std::vector<Piece>& pieces) {
    std::vector<Piece> result;
    for (const Piece& piece : pieces) {
        result.push_back(piece);
        if (random() % 10 == 0) result.push_back(result[random() % result.size()]);
    }
    pieces = std::move(result);
}

TEST(RandomScripts, NoVariantChangesTheStream) {
    for (unsigned seed = 0; seed < 200; ++seed) {
        std::mt19937 random(seed);
        const std::string text = random_text(random, 3000 + random() % 3000);
        for (const std::size_t largest : {std::size_t{1}, std::size_t{50}, std::size_t{1448}, std::size_t{65000}}) {
            auto pieces = cut(random, text, largest);
            shuffle_in_windows(random, pieces, 64);
            duplicate_some(random, pieces);
            const auto isn = seed % 2 == 0 ? 0xfffff000u : static_cast<std::uint32_t>(random());
            Wire wire(Mode::one_sided, {}, isn);
            wire.syn();
            for (const Piece& piece : pieces) wire.client(piece.start, piece.bytes);
            wire.client(static_cast<std::uint32_t>(text.size()), "", kAck | kFin);
            ASSERT_EQ(wire.script(), text + "[fin]") << "seed " << seed << " largest " << largest;
            ASSERT_TRUE(wire.observer.closes());
        }
    }
}

// A server that acknowledges what it got, a capture that loses packets, and a ring read before or after the queue.
struct LossyRun {
    explicit LossyRun(unsigned seed) : random(seed), wire(Mode::strict, {}, static_cast<std::uint32_t>(random())) {}

    void play() {
        text = random_text(random, 20000);
        auto pieces = cut(random, text, 700);
        duplicate_some(random, pieces);
        wire.handshake();
        std::vector<bool> captured(text.size());
        std::uint32_t acked = 0;
        for (const Piece& piece : pieces) {
            const bool lost = random() % 20 == 0, ring_first = random() % 2 == 0;
            if (piece.start <= acked) acked = std::max(acked, piece.end());
            if (ring_first) wire.server(acked);
            if (!lost) {
                wire.client(piece.start, piece.bytes);
                std::fill(captured.begin() + piece.start, captured.begin() + piece.end(), true);
            }
            if (!ring_first) wire.server(acked);
            if (random() % 4 == 0) wire.drained();
        }
        wire.drained();
        wire.drained();
        if (acked == text.size()) complete = true;
        expected_gap = static_cast<std::size_t>(std::count(captured.begin(), captured.end(), false));
    }
    std::mt19937 random;
    Wire wire;
    std::string text;
    std::size_t expected_gap = 0;
    bool complete = false;
};

TEST(RandomScripts, LossInCaptureLeavesGapsAndNeverFalseBytes) {
    std::size_t with_gaps = 0;
    for (unsigned seed = 0; seed < 500; ++seed) {
        LossyRun run(seed);
        run.play();
        ASSERT_TRUE(run.complete);
        const StreamRecord& record = *run.wire.record();
        std::string rebuilt;
        std::size_t at = 0;
        for (std::size_t i = 0; i < record.script.size();) {
            if (record.script[i] == '[') {
                at += std::stoul(record.script.substr(i + 5));
                i = record.script.find(']', i) + 1;
                continue;
            }
            ASSERT_EQ(record.script[i++], run.text[at++]) << "seed " << seed;
        }
        EXPECT_EQ(at, run.text.size()) << "seed " << seed;
        // A duplicate that is captured after its gap was declared does not heal it.
        EXPECT_GE(record.gap_bytes, run.expected_gap) << "seed " << seed;
        with_gaps += record.gap_bytes > 0;
        run.wire.reassembler.shutdown(run.wire.now);
        ASSERT_TRUE(run.wire.observer.closes());
        ASSERT_EQ(run.wire.observer.ledger.in_flight.bytes, 0u);
    }
    EXPECT_GT(with_gaps, 400u);
}

// Anything goes: flags, numbers, timestamps, both sides, time. Nothing may be lost from the ledger.
TEST(RandomScripts, TheLedgerClosesAfterNonsense) {
    for (unsigned seed = 0; seed < 1500; ++seed) {
        std::mt19937 random(seed);
        ReassemblyLimits limits = seed % 2 ? as_linux() : ReassemblyLimits{};
        limits.flows = 3;
        limits.orphans = 2;
        limits.embryos = 3;
        limits.closed_flows = 3;
        limits.segments = 6;
        limits.unacked_bytes = 300;
        Wire wire(seed % 3 ? Mode::strict : Mode::one_sided, limits, random() % 2 ? 0xfffffff0u : kIsn);
        for (int i = 0; i < 300; ++i) {
            wire.tuple = tuple_of(static_cast<std::uint16_t>(1 + random() % 5));
            wire.server_offset = random() % 50;
            const std::string text = random_text(random, random() % 40);
            const std::uint32_t offset = random() % 120 - 10;
            static constexpr std::uint8_t kFlags[] = {kAck, kAck, kAck, kAck, kAck | kFin, kRst, kSyn, kAck | kUrg, 0};
            const std::uint8_t flags = kFlags[random() % std::size(kFlags)];
            switch (random() % 12) {
                case 0:
                    wire.syn(random() % 2 ? text : "");
                    break;
                case 1:
                    wire.syn_ack(random() % 3);
                    break;
                case 2:
                    wire.server(offset, text, kAck);
                    break;
                case 3:
                    wire.server(offset, "", flags);
                    break;
                case 4:
                    wire.drained();
                    break;
                case 5:
                    wire.wait(random() % 2 ? 400 * kMillisecond : random() % (70 * kSecond));
                    break;
                case 6:
                    wire.handshake();
                    break;
                default:
                    wire.client(offset, text, flags);
            }
            ASSERT_TRUE(wire.observer.closes()) << "seed " << seed << " step " << i;
        }
        wire.reassembler.shutdown(wire.now);
        ASSERT_TRUE(wire.observer.closes()) << "seed " << seed;
        ASSERT_EQ(wire.observer.ledger.in_flight.bytes, 0u) << "seed " << seed;
        ASSERT_EQ(wire.observer.ledger.in_flight.flows, 0u) << "seed " << seed;
        ASSERT_EQ(wire.worker.flows + wire.worker.embryos + wire.worker.reassembly_bytes, 0u) << "seed " << seed;
        for (const auto& record : wire.observer.records) {
            ASSERT_TRUE(record->closed);
            ASSERT_EQ(record->script.find("ORDER"), std::string::npos) << "seed " << seed << record->script;
        }
    }
}

}  // namespace
}  // namespace umbra::test
