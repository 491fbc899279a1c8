// Strict mode where a tuple is used again: which connection a packet belongs to.
#include "unit/reassembly/strict_fixture.h"

namespace umbra::test {
namespace {

using StrictReuse = Strict;

TEST_F(StrictReuse, ANewSynAckStartsANewGeneration) {
    wire.handshake();
    wire.client(0, "old");
    wire.server(3);
    wire.move_isn(500000);
    wire.handshake();
    wire.client(0, "new");
    wire.server(3);
    ASSERT_EQ(wire.streams(), 2u);
    EXPECT_EQ(wire.script(0), "old");
    EXPECT_EQ(wire.record(0)->close_kind, CloseKind::reset);
    EXPECT_EQ(wire.script(1), "new");
}

TEST_F(StrictReuse, TheOldGenerationsPacketsAreReadAfterTheNewSynAck) {
    wire.handshake();
    wire.server(8);
    wire.server(9, "", kFin | kAck);
    wire.move_isn(500000);
    wire.server_offset = 0;
    wire.syn_ack();
    wire.server(3);
    wire.move_isn(kIsn);
    wire.client(0, "old data");
    wire.client(8, "", kFin | kAck);
    wire.move_isn(500000);
    wire.syn();
    wire.client(0, "new");
    wire.drained();
    ASSERT_EQ(wire.streams(), 2u);
    EXPECT_EQ(wire.script(0), "old data[fin]");
    EXPECT_EQ(wire.record(0)->close_kind, CloseKind::finished);
    EXPECT_EQ(wire.script(1), "new");
}

TEST_F(StrictReuse, RetransmissionsAfterTheEndAreDuplicates) {
    wire.handshake();
    wire.client(0, "bye", kAck | kFin);
    wire.server(4, "", kFin | kAck);
    ASSERT_TRUE(wire.record()->closed);
    EXPECT_EQ(wire.worker.flows, 0u);
    wire.client(0, "bye", kAck | kFin);
    wire.server(4);
    EXPECT_EQ(wire.observer.dropped(Reason::duplicate), 3u);
    EXPECT_EQ(wire.streams(), 1u);
    EXPECT_EQ(wire.worker.flows + wire.worker.embryos, 0u);
}

TEST_F(StrictReuse, ATupleMayBeUsedAgainWithALowerNumber) {
    wire.handshake();
    wire.client(0, "bye", kAck | kFin);
    wire.server(4, "", kFin | kAck);
    wire.move_isn(kIsn - 500000u);
    wire.server_offset = 0;
    wire.handshake();
    wire.client(0, "new");
    wire.server(3);
    ASSERT_EQ(wire.streams(), 2u);
    EXPECT_EQ(wire.script(1), "new");
}

TEST_F(StrictReuse, ATupleUsedAgainMayRunAheadOfItsSynAck) {
    wire.handshake();
    wire.client(0, "bye", kAck | kFin);
    wire.server(4, "", kFin | kAck);
    wire.move_isn(500000);
    wire.server_offset = 0;
    wire.syn();
    wire.client(0, "new");
    wire.syn_ack();
    wire.server(3);
    ASSERT_EQ(wire.streams(), 2u);
    EXPECT_EQ(wire.script(1), "new");
    EXPECT_EQ(wire.record(1)->kind, OpenKind::handshake);
}

}  // namespace
}  // namespace umbra::test
