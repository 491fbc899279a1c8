// What the differential against the running kernel found, each as a short script of its own.
#include <gtest/gtest.h>

#include "unit/reassembly/stream_test_support.h"

namespace umbra::test {
namespace {

class KernelFinding : public testing::Test {
protected:
    KernelFinding() {
        wire.server_options.sack_permitted = true;
        wire.server_options.window_scale = 0;
    }
    // A packet of the server that is no answer to the connection's last packet.
    ServerHeader stray(std::uint32_t seq, std::uint32_t acked, std::uint8_t flags) {
        ServerHeader header = wire.header(acked, {}, flags);
        header.seq = seq;
        return header;
    }
    Segment stamped(std::uint32_t offset, std::string_view payload, std::uint32_t tsval) {
        Segment segment = wire.segment(offset, payload);
        segment.options.tsval = tsval;
        return segment;
    }
    void handshake_with_timestamps(std::uint32_t tsval) {
        wire.server_options.tsval = 1;
        wire.server_options.tsecr = tsval;
        wire.handshake();
    }

    Wire wire{Mode::strict};
};

TEST_F(KernelFinding, ARefusalOfAnotherSynAcknowledgesNothing) {
    wire.handshake();
    wire.reassembler.on_server(stray(0, 500, kRst | kAck));
    wire.drained();
    EXPECT_EQ(wire.streams(), 0u);
    wire.client(0, "data");
    wire.server(4);
    EXPECT_EQ(wire.script(), "data");
}

TEST_F(KernelFinding, ARefusalOfAnotherSynDoesNotResetTheFlow) {
    wire.handshake();
    wire.client(0, "da");
    wire.server(2);
    wire.reassembler.on_server(stray(0, 500, kRst | kAck));
    wire.client(2, "ta");
    wire.server(4);
    wire.drained();
    EXPECT_EQ(wire.script(), "data");
}

TEST_F(KernelFinding, ARstBehindAHoleCountsWhenTheHoleIsAGap) {
    wire.handshake();
    wire.client(0, "ab");
    wire.server(6);
    wire.client(6, {}, kRst);
    wire.drained();
    EXPECT_EQ(wire.script(), "ab[gap 4]");
    EXPECT_TRUE(wire.record()->closed);
    EXPECT_EQ(wire.record()->close_kind, CloseKind::reset);
}

TEST_F(KernelFinding, ARstBehindAHoleThatIsFilledWasIgnored) {
    wire.handshake();
    wire.server(6);
    wire.client(6, {}, kRst);
    wire.client(0, "abcdef");
    wire.drained();
    EXPECT_EQ(wire.script(), "abcdef");
    EXPECT_FALSE(wire.record()->closed);
}

TEST_F(KernelFinding, AnUrgentPointerWithoutPayloadCounts) {
    for (const std::size_t before : {0, 4}) {
        Wire other(Mode::strict);
        other.handshake();
        if (before > 0) other.client(0, "abcd");
        if (before > 0) other.server(4);
        Segment urgent = other.segment(static_cast<std::uint32_t>(before), {}, kAck | kUrg);
        urgent.urgent_pointer = 2;
        other.reassembler.on_segment(urgent);
        other.client(static_cast<std::uint32_t>(before), "more");
        other.server(static_cast<std::uint32_t>(before + 4));
        EXPECT_EQ(other.bytes(), before > 0 ? "abcd" : "");
        EXPECT_EQ(other.observer.dropped(Reason::urgent), 4u);
        EXPECT_TRUE(other.observer.closes());
    }
}

TEST_F(KernelFinding, ALatePointerAtAHeldByteIsUrgentToo) {
    wire.handshake();
    wire.client(0, "abcd");
    Segment urgent = wire.segment(3, "d", kAck | kUrg);
    wire.reassembler.on_segment(urgent);
    wire.server(4);
    EXPECT_EQ(wire.streams(), 0u);
    EXPECT_EQ(wire.observer.dropped(Reason::urgent), 5u);
}

TEST_F(KernelFinding, BlocksThatWereFilledAtOnceEndNowhere) {
    wire.handshake();
    wire.client(4, "e");
    wire.client(0, "abcdefgh");
    wire.client(5, {}, kRst);
    wire.server(8);
    EXPECT_EQ(wire.bytes(), "abcdefgh");
    EXPECT_FALSE(wire.record()->closed);
}

TEST_F(KernelFinding, WhatLiesBehindTheWindowHasNoBlock) {
    wire.handshake();
    wire.client(0, "a");
    ServerHeader header = wire.header(1);
    header.window = 100;
    wire.reassembler.on_server(header);
    wire.client(200, "far away");
    wire.client(208, {}, kRst);
    wire.client(1, "b");
    wire.server(2);
    EXPECT_EQ(wire.bytes(), "ab");
    EXPECT_FALSE(wire.record()->closed);
}

TEST_F(KernelFinding, BytesBehindAFinContradictIt) {
    for (const bool fin_first : {true, false}) {
        Wire other(Mode::strict);
        other.handshake();
        if (fin_first) other.client(2, {}, kFin | kAck);
        other.client(3, "X");
        if (!fin_first) other.client(2, {}, kFin | kAck);
        other.client(0, "ab");
        other.server(3);
        EXPECT_EQ(other.bytes(), "") << fin_first;
        EXPECT_GT(other.observer.dropped(Reason::overlap_conflict), 0u);
        EXPECT_TRUE(other.observer.closes());
    }
}

TEST_F(KernelFinding, TheSameFinAgainContradictsNothing) {
    wire.handshake();
    wire.client(0, "ab", kFin | kAck);
    wire.client(1, "b", kFin | kAck);
    wire.client(2, {}, kFin | kAck);
    wire.server(3);
    EXPECT_EQ(wire.script(), "ab[fin]");
}

TEST_F(KernelFinding, DataWithMalformedOptionsEndTheFlow) {
    wire.handshake();
    wire.client(0, "ab");
    wire.server(2);
    Segment doubtful = wire.segment(2, "XX");
    doubtful.options.malformed = true;
    wire.reassembler.on_segment(doubtful);
    wire.client(2, "cd");
    wire.server(4);
    EXPECT_EQ(wire.bytes(), "ab");
    EXPECT_EQ(wire.record()->close_reason, Reason::out_of_window);
}

TEST_F(KernelFinding, AnUrgentPointerWithMalformedOptionsEndsTheFlow) {
    wire.handshake();
    Segment doubtful = wire.segment(0, {}, kAck | kUrg);
    doubtful.options.malformed = true;
    wire.reassembler.on_segment(doubtful);
    wire.client(0, "a");
    wire.server(1);
    EXPECT_EQ(wire.bytes(), "");
    EXPECT_TRUE(wire.observer.closes());
}

TEST_F(KernelFinding, AnOldTimestampFillsWhatOnlyItCanFill) {
    handshake_with_timestamps(100);
    wire.reassembler.on_segment(stamped(0, "ab", 200));
    wire.server(2);
    wire.reassembler.on_segment(stamped(2, "cd", 210));
    wire.server(4);
    wire.reassembler.on_segment(stamped(4, "ef", 150));
    wire.server(4);
    wire.drained();
    EXPECT_EQ(wire.script(), "abcd");
    wire.server(6);
    wire.drained();
    EXPECT_EQ(wire.script(), "abcdef");
}

TEST_F(KernelFinding, AnOldTimestampYieldsToTheRetransmission) {
    handshake_with_timestamps(100);
    wire.reassembler.on_segment(stamped(0, "ab", 200));
    wire.server(2);
    wire.reassembler.on_segment(stamped(2, "XX", 150));
    wire.reassembler.on_segment(stamped(2, "cd", 210));
    wire.server(4);
    wire.drained();
    EXPECT_EQ(wire.script(), "abcd");
}

TEST_F(KernelFinding, TheTimestampOfAnOldDuplicateIsNotRemembered) {
    handshake_with_timestamps(100);
    wire.reassembler.on_segment(stamped(0, "abcd", 100));
    wire.server(4);
    wire.reassembler.on_segment(stamped(0, "a", 400));
    wire.reassembler.on_segment(stamped(2, "cdef", 101));
    wire.server(6);
    EXPECT_EQ(wire.script(), "abcdef");
}

TEST_F(KernelFinding, ARstWithAnOldTimestampEndsNoHandshake) {
    handshake_with_timestamps(100);
    Segment reset = wire.segment(0, {}, kRst);
    reset.options.tsval = 99;
    wire.reassembler.on_segment(reset);
    wire.client(0, "data");
    wire.server(4);
    EXPECT_EQ(wire.script(), "data");
}

TEST_F(KernelFinding, ARstWithASignatureNobodyAskedForEndsNothing) {
    wire.handshake();
    Segment reset = wire.segment(0, {}, kRst);
    reset.options.md5 = true;
    wire.reassembler.on_segment(reset);
    wire.client(0, "da");
    wire.server(2);
    reset = wire.segment(2, {}, kRst);
    reset.options.malformed = true;
    wire.reassembler.on_segment(reset);
    wire.client(2, "ta");
    wire.server(4);
    EXPECT_EQ(wire.script(), "data");
}

// The SYN of the next connection was read before its SYN-ACK: nothing of the older one comes any more.
TEST_F(KernelFinding, TheNextConnectionsDataMayBeginOutOfOrder) {
    wire.handshake();
    wire.client(0, "old");
    wire.server(3);
    wire.syn({}, 100000);
    wire.move_isn(kIsn + 100000);
    wire.syn_ack();
    wire.client(2, "w");
    wire.client(0, "ne");
    wire.server(3);
    wire.drained();
    EXPECT_EQ(wire.script(1), "new");
}

TEST_F(KernelFinding, DataOnTheNextConnectionsSynAreAGapNotForgotten) {
    wire.handshake();
    wire.client(0, "old");
    wire.server(3);
    wire.syn("early", 100000);
    wire.move_isn(kIsn + 100000);
    wire.syn_ack(5);
    wire.client(5, "late");
    wire.server(9);
    wire.drained();
    EXPECT_EQ(wire.script(1), "[gap 5]late");
}

// Fast Open, and the SYN-ACK is read before the SYN.
TEST_F(KernelFinding, ASynThatBroughtAllThatWasAcknowledgedIsDelivered) {
    wire.syn_ack(5);
    wire.syn("early");
    wire.client(5, "late");
    wire.server(9);
    wire.drained();
    EXPECT_EQ(wire.script(), "earlylate");
}

TEST_F(KernelFinding, ASynThatBroughtLessThanWasAcknowledgedIsAnotherOne) {
    wire.syn_ack(5);
    wire.syn("ear");
    wire.client(5, "late");
    wire.server(9);
    wire.drained();
    EXPECT_EQ(wire.script(), "[gap 5]late");
    EXPECT_TRUE(wire.observer.closes());
}

// The client sent two SYNs, and the server answered the one without data: what the other one brought is nobody's.
TEST_F(KernelFinding, DataOfASynAreNotTakenForThoseOfItsNeighbour) {
    wire.syn({}, 5);
    wire.syn_ack(5);
    wire.syn("early");
    wire.client(5, "late");
    wire.server(9);
    wire.drained();
    EXPECT_EQ(wire.script(), "late");
    EXPECT_TRUE(wire.observer.closes());
}

}  // namespace
}  // namespace umbra::test
