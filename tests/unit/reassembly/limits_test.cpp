// Every bound, forced; and what the memory does under hostile orders.
#include <gtest/gtest.h>

#include "unit/reassembly/stream_test_support.h"

namespace umbra::test {
namespace {

void finish(Wire& wire) {
    wire.reassembler.shutdown(wire.now);
    EXPECT_TRUE(wire.observer.closes());
    EXPECT_EQ(wire.observer.ledger.in_flight.bytes, 0u);
    EXPECT_EQ(wire.observer.ledger.in_flight.flows, 0u);
    EXPECT_EQ(wire.worker.reassembly_bytes, 0u);
    EXPECT_EQ(wire.worker.flows, 0u);
}

TEST(Limits, SegmentsOutOfOrder) {
    ReassemblyLimits limits;
    limits.segments = 100;
    Wire wire(Mode::one_sided, limits);
    wire.syn();
    wire.client(0, "a");
    for (std::uint32_t i = 0; i < 100; ++i) wire.client(2 + 2 * i, "x");
    EXPECT_FALSE(wire.record()->closed);
    wire.client(500, "x");
    ASSERT_TRUE(wire.record()->closed);
    EXPECT_EQ(wire.record()->close_reason, Reason::ooo_segments);
    EXPECT_EQ(wire.observer.dropped(Reason::ooo_segments), 101u);
    finish(wire);
}

TEST(Limits, AllOfLinuxsOneByteSegmentsAreKept) {
    Wire wire(Mode::one_sided);
    wire.syn();
    for (std::uint32_t i = 3000; i > 0; --i) wire.client(i, "x");
    wire.client(0, "a");
    EXPECT_EQ(wire.bytes().size(), 3001u);
    finish(wire);
}

TEST(Limits, BytesOutOfOrder) {
    ReassemblyLimits limits;
    limits.ooo_bytes = 10000;
    Wire wire(Mode::one_sided, limits);
    wire.syn();
    const std::string block(1000, 'x');
    for (std::uint32_t i = 0; i < 10; ++i) wire.client(1 + 1000 * i, block);
    EXPECT_EQ(wire.observer.muted.size(), 0u);
    wire.client(10001, block);
    EXPECT_EQ(wire.observer.muted.size(), 1u);
    EXPECT_EQ(wire.observer.dropped(Reason::ooo_bytes), 11000u);
    finish(wire);
}

TEST(Limits, BytesThatTheServerDoesNotAcknowledge) {
    ReassemblyLimits limits;
    limits.unacked_bytes = 5000;
    Wire wire(Mode::strict, limits);
    wire.handshake();
    const std::string block(1000, 'x');
    for (std::uint32_t i = 0; i < 6; ++i) wire.client(1000 * i, block);
    EXPECT_EQ(wire.observer.dropped(Reason::unacknowledged), 6000u);
    EXPECT_EQ(wire.observer.muted.size(), 1u);
    finish(wire);
}

TEST(Limits, HoleOfTheWindow) {
    ReassemblyLimits limits;
    limits.hole_bytes = 100000;
    Wire wire(Mode::one_sided, limits);
    wire.syn();
    wire.client(0, "a");
    wire.client(100001, "in");
    wire.client(100002, "out");
    EXPECT_EQ(wire.observer.dropped(Reason::out_of_window), 3u);
    EXPECT_LT(wire.worker.reassembly_bytes, 1000u);
    finish(wire);
}

TEST(Limits, FlowTableFull) {
    ReassemblyLimits limits;
    limits.flows = 10;
    Wire wire(Mode::strict, limits);
    for (std::uint16_t port = 1; port <= 12; ++port) {
        wire.tuple = tuple_of(port);
        wire.handshake();
        wire.client(0, "hello");
        wire.server(5);
        wire.server_offset = 0;
    }
    EXPECT_EQ(wire.streams(), 10u);
    EXPECT_EQ(wire.observer.dropped_flows(Reason::flow_table), 2u);
    EXPECT_EQ(wire.observer.dropped(Reason::flow_table), 10u);
    wire.client(5, "more");
    EXPECT_EQ(wire.observer.dropped(Reason::flow_table), 14u);
    EXPECT_EQ(wire.observer.dropped_flows(Reason::flow_table), 2u);
    for (const auto& record : wire.observer.records) EXPECT_FALSE(record->closed);
    finish(wire);
}

TEST(Limits, FlowsThatAreAllButOverMakeRoom) {
    ReassemblyLimits limits;
    limits.flows = 1;
    Wire wire(Mode::strict, limits);
    wire.handshake();
    wire.client(0, "bye", kAck | kFin);
    wire.server(4);
    wire.tuple = tuple_of(2);
    wire.handshake();
    wire.client(0, "hello");
    wire.server(5);
    EXPECT_EQ(wire.streams(), 2u);
    EXPECT_EQ(wire.record(0)->close_kind, CloseKind::finished);
    finish(wire);
}

TEST(Limits, Embryos) {
    ReassemblyLimits limits;
    limits.embryos = 100;
    Wire wire(Mode::strict, limits);
    for (std::uint16_t port = 1; port <= 200; ++port) {
        wire.tuple = tuple_of(port);
        wire.syn_ack();
    }
    EXPECT_EQ(wire.worker.embryos, 100u);
    wire.client(0, "hello");
    wire.server(5);
    EXPECT_EQ(wire.bytes(), "hello");
    finish(wire);
}

TEST(Limits, OrphansAndTheirBytes) {
    ReassemblyLimits limits;
    limits.orphans = 10;
    limits.orphan_bytes = 100;
    Wire wire(Mode::strict, limits);
    const std::string block(60, 'x');
    for (std::uint16_t port = 1; port <= 30; ++port) {
        wire.tuple = tuple_of(port);
        wire.client(0, block);
        wire.client(60, block);
    }
    EXPECT_EQ(wire.worker.flows, 10u);
    EXPECT_EQ(wire.observer.dropped(Reason::no_handshake), 30 * 60u + 20 * 60u);
    finish(wire);
    EXPECT_EQ(wire.streams(), 0u);
}

TEST(Limits, MemoryShedsWhoWaitsLongest) {
    ReassemblyLimits limits;
    limits.memory = 2 << 20;
    limits.on_conflict = ConflictPolicy::as_linux;
    Wire wire(Mode::one_sided, limits);
    const std::string block(10000, 'x');
    for (std::uint16_t port = 1; port <= 100; ++port) {
        wire.tuple = tuple_of(port);
        wire.now += kMillisecond;
        wire.syn();
        wire.client(0, "a");
        for (std::uint32_t i = 0; i < 5; ++i) wire.client(2 + 10001 * i, block);
        EXPECT_LE(wire.worker.reassembly_bytes, limits.memory);
    }
    EXPECT_TRUE(wire.record(0)->closed);
    EXPECT_EQ(wire.record(0)->close_reason, Reason::memory);
    EXPECT_FALSE(wire.record(99)->closed);
    EXPECT_GT(wire.observer.dropped(Reason::memory), 0u);
    finish(wire);
}

// The flows themselves are memory: they take it from bytes that wait, and end where the limit ends.
TEST(Limits, MemoryOfTheFlowsCounts) {
    ReassemblyLimits limits;
    limits.memory = 2 << 20;
    Wire wire(Mode::one_sided, limits);
    const auto open = [&wire](unsigned number, std::string_view bytes, std::uint32_t offset) {
        wire.tuple = tuple_of(static_cast<std::uint16_t>(number));
        wire.now += kMillisecond;
        wire.syn();
        wire.client(offset, bytes);
    };
    const std::string block(10000, 'x');
    for (unsigned port = 1; port <= 50; ++port) open(port, block, 1);
    EXPECT_EQ(wire.worker.flows, 50u);
    for (unsigned port = 51; port <= 20000; ++port) open(port, "y", 0);
    EXPECT_EQ(wire.observer.dropped(Reason::memory), 50 * block.size());
    EXPECT_EQ(wire.worker.reassembly_bytes, 0u);
    EXPECT_GT(wire.observer.dropped_flows(Reason::flow_table), 0u);
    EXPECT_GT(wire.worker.flows, 1000u);
    EXPECT_LT(wire.worker.flows, limits.memory / sizeof(Flow));
    finish(wire);
}

TEST(Limits, AFlowThatNeedsAllMemoryIsShedItself) {
    ReassemblyLimits limits;
    limits.memory = 1 << 20;
    Wire wire(Mode::one_sided, limits);
    wire.syn();
    const std::string block(60000, 'x');
    for (std::uint32_t i = 0; i < 60 && wire.observer.muted.empty(); ++i) wire.client(1 + 60000 * i, block);
    EXPECT_EQ(wire.observer.muted.size(), 1u);
    EXPECT_GT(wire.observer.dropped(Reason::memory), 0u);
    finish(wire);
}

TEST(Limits, Marks) {
    ReassemblyLimits limits;
    limits.marks = 3;
    Wire wire(Mode::strict, limits);
    wire.handshake();
    for (std::uint32_t i = 1; i <= 10; ++i) wire.server(i, "r");
    wire.client(0, "abcdefghij");
    EXPECT_EQ(wire.script(), "a[server r]b[server r]c[server r]defghij");
    finish(wire);
}

// Limits: flow_idle.
TEST(Limits, IdleFlowsAndEmbryosExpire) {
    Wire wire(Mode::strict);
    wire.handshake();
    wire.client(0, "hello");
    wire.server(5);
    wire.tuple = tuple_of(2);
    wire.server_offset = 0;
    wire.syn_ack();
    wire.wait(599 * kSecond);
    EXPECT_EQ(wire.worker.flows + wire.worker.embryos, 2u);
    wire.wait(2 * kSecond);
    EXPECT_EQ(wire.worker.flows + wire.worker.embryos, 0u);
    EXPECT_EQ(wire.record()->close_kind, CloseKind::expired);
    EXPECT_EQ(wire.record()->close_reason, Reason::idle);
    finish(wire);
}

// Limits: flow_closing.
TEST(Limits, AClosingFlowExpiresSooner) {
    Wire wire(Mode::strict);
    wire.handshake();
    wire.client(0, "bye", kAck | kFin);
    wire.server(4);
    wire.wait(59 * kSecond);
    EXPECT_FALSE(wire.record()->closed);
    wire.wait(2 * kSecond);
    EXPECT_EQ(wire.record()->close_kind, CloseKind::finished);
    finish(wire);
}

// Limits: closed_wait.
TEST(Limits, AClosedFlowIsForgotten) {
    for (const bool waits : {false, true}) {
        ReassemblyLimits limits;
        limits.closed_timeout = kMillisecond;
        Wire wire(Mode::strict, limits);
        wire.handshake();
        wire.client(0, "bye", kAck | kFin);
        wire.server(4, "", kAck | kFin);
        wire.drained();
        if (waits) wire.wait(kSecond);
        wire.client(0, "bye");
        wire.wait(2 * kSecond);
        EXPECT_EQ(wire.observer.dropped(Reason::duplicate), waits ? 0u : 3u);
        EXPECT_EQ(wire.observer.dropped(Reason::no_handshake), waits ? 3u : 0u);
        finish(wire);
    }
}

// Limits: hole_wait.
TEST(Limits, AHoleThatNothingFillsIsAGap) {
    ReassemblyLimits limits;
    limits.hole_timeout = kMillisecond;
    Wire wire(Mode::one_sided, limits);
    wire.syn();
    wire.client(0, "a");
    wire.client(5, "b");
    EXPECT_EQ(wire.script(), "a");
    wire.wait(2 * kSecond);
    EXPECT_EQ(wire.script(), "a[gap 4]b");
    finish(wire);
}

TEST(Limits, OneByteSegmentsInReverseCostNoMoreAndHoldNoMoreThanTheyBring) {
    ReassemblyLimits limits;
    limits.segments = 200000;
    limits.ooo_bytes = 1 << 20;
    Wire wire(Mode::one_sided, limits);
    wire.syn();
    for (std::uint32_t i = 100000; i > 0; --i) {
        wire.client(i, "x");
        ASSERT_EQ(wire.worker.reassembly_bytes, (100001 - i) * 2 * SlabPool::kSizes[SlabPool::small]);
    }
    wire.client(0, "a");
    EXPECT_EQ(wire.bytes().size(), 100001u);
    EXPECT_EQ(wire.worker.reassembly_bytes, 0u);
    finish(wire);
}

TEST(Limits, AFarByteAndItsRetransmissionsHoldOnePiece) {
    Wire wire(Mode::one_sided);
    wire.syn();
    wire.client(0, "a");
    for (int i = 0; i < 10000; ++i) wire.client(1000000, "x");
    EXPECT_EQ(wire.worker.reassembly_bytes, 2 * SlabPool::kSizes[SlabPool::small]);
    finish(wire);
}

}  // namespace
}  // namespace umbra::test
