// Strict mode: the server's headers decide what is delivered, and when.
#include "unit/reassembly/strict_fixture.h"

namespace umbra::test {
namespace {

TEST_F(Strict, ASynMakesNoState) {
    wire.syn();
    EXPECT_EQ(wire.worker.flows, 0u);
    EXPECT_EQ(wire.worker.embryos, 0u);
    wire.syn_ack();
    EXPECT_EQ(wire.worker.embryos, 1u);
    wire.syn_ack();
    EXPECT_EQ(wire.worker.embryos, 1u);
    EXPECT_EQ(wire.streams(), 0u);
}

TEST_F(Strict, DeliversUpToTheAck) {
    wire.handshake();
    wire.client(0, "hello world");
    EXPECT_EQ(wire.bytes(), "");
    EXPECT_TRUE(wire.reassembler.waiting());
    wire.server(5);
    EXPECT_EQ(wire.bytes(), "hello");
    EXPECT_EQ(wire.record()->kind, OpenKind::handshake);
    wire.server(11);
    EXPECT_EQ(wire.bytes(), "hello world");
    EXPECT_FALSE(wire.reassembler.waiting());
}

TEST_F(Strict, AnAckReadBeforeItsPacketIsNoGap) {
    wire.handshake();
    wire.server(11);
    EXPECT_EQ(wire.streams(), 0u);
    wire.client(0, "hello");
    EXPECT_EQ(wire.script(), "hello");
    wire.client(5, " world");
    wire.drained();
    EXPECT_EQ(wire.script(), "hello world");
}

TEST_F(Strict, AHoleBelowTheAckIsAGapOnceTheCaptureIsDrained) {
    wire.handshake();
    wire.client(0, "ab");
    wire.client(5, "fg");
    wire.server(7);
    EXPECT_EQ(wire.script(), "ab");
    wire.drained();
    EXPECT_EQ(wire.script(), "ab[gap 3]fg");
    wire.client(2, "cde");
    EXPECT_EQ(wire.observer.dropped(Reason::duplicate), 3u);
}

TEST_F(Strict, ADrainBeforeTheAckSettlesNothing) {
    wire.handshake();
    const auto before = wire.reassembler.server_headers();
    wire.server(5);
    wire.reassembler.on_capture_drained(wire.now, before);
    EXPECT_EQ(wire.streams(), 0u);
    wire.client(0, "hello");
    EXPECT_EQ(wire.script(), "hello");
}

TEST_F(Strict, AGapIsFinalUpToTheAckOfTheDrainOnly) {
    wire.handshake();
    wire.server(4);
    const auto first = wire.reassembler.server_headers();
    wire.server(8);
    wire.reassembler.on_capture_drained(wire.now, first);
    EXPECT_EQ(wire.script(), "[gap 4]");
    wire.client(4, "efgh");
    wire.drained();
    EXPECT_EQ(wire.script(), "[gap 4]efgh");
}

TEST_F(Strict, AHoleAboveTheAckWaitsForItsRetransmission) {
    wire.handshake();
    wire.client(0, "ab");
    wire.client(4, "ef");
    wire.server(2);
    wire.drained();
    wire.client(2, "cd");
    wire.server(6);
    EXPECT_EQ(wire.script(), "abcdef");
}

TEST_F(Strict, ABlockedClientReachesNobody) {
    wire.syn();
    for (int i = 0; i < 100; ++i) wire.client(i, "x");
    wire.wait(2 * kSecond);
    wire.client(0, "again");
    wire.drained();
    wire.wait(20 * kSecond);
    EXPECT_EQ(wire.streams(), 0u);
    EXPECT_EQ(wire.observer.dropped(Reason::no_handshake), 105u);
    EXPECT_EQ(wire.worker.one_sided_flows, 0u);
    EXPECT_EQ(wire.worker.flows, 0u);
}

TEST_F(Strict, DataReadBeforeTheSynAckIsKept) {
    wire.syn();
    wire.client(0, "hello");
    EXPECT_TRUE(wire.reassembler.waiting());
    wire.syn_ack();
    wire.server(5);
    EXPECT_EQ(wire.script(), "hello");
    EXPECT_EQ(wire.record()->kind, OpenKind::handshake);
}

// Limits: server_wait.
TEST_F(Strict, FallsBackWhenTheServerStaysInvisible) {
    wire.handshake();
    wire.client(0, "hello");
    wire.wait(900 * kMillisecond);
    EXPECT_EQ(wire.bytes(), "");
    wire.wait(200 * kMillisecond);
    EXPECT_EQ(wire.bytes(), "hello");
    EXPECT_EQ(wire.worker.one_sided_flows, 1u);
    wire.client(5, " world");
    EXPECT_EQ(wire.bytes(), "hello world");
    wire.server(11);
    wire.client(11, "!");
    EXPECT_EQ(wire.bytes(), "hello world");
    wire.server(12);
    EXPECT_EQ(wire.bytes(), "hello world!");
}

TEST_F(Strict, AClientThatRepeatsItselfIsOneThatTheServerDoesNotTake) {
    wire.handshake();
    wire.client(0, "hello");
    wire.wait(200 * kMillisecond);
    wire.client(0, "hello");
    wire.wait(20 * kSecond);
    wire.wait(20 * kSecond);
    EXPECT_EQ(wire.bytes(), "");
    EXPECT_EQ(wire.worker.one_sided_flows, 0u);
    wire.server(5);
    EXPECT_EQ(wire.bytes(), "hello");
}

TEST_F(Strict, UnlessItRefersToAnswersThatWereNotSeen) {
    wire.handshake();
    wire.client(0, "hello");
    wire.client(0, "hello");
    wire.server_offset = 100;
    wire.client(5, " again");
    wire.wait(1100 * kMillisecond);
    EXPECT_EQ(wire.bytes(), "hello again");
    EXPECT_EQ(wire.worker.one_sided_flows, 1u);
}

TEST_F(Strict, FinIsDeliveredWhenAcknowledged) {
    wire.handshake();
    wire.client(0, "bye", kAck | kFin);
    wire.server(3);
    EXPECT_EQ(wire.script(), "bye");
    wire.server(4);
    EXPECT_EQ(wire.script(), "bye[fin]");
    EXPECT_FALSE(wire.record()->closed);
    wire.server(4, "rest");
    wire.server(4, "", kFin | kAck);
    EXPECT_TRUE(wire.record()->closed);
    EXPECT_EQ(wire.record()->close_kind, CloseKind::finished);
}

TEST_F(Strict, BothSidesMayCloseAtOnce) {
    wire.handshake();
    wire.client(0, "bye", kAck | kFin);
    wire.server(0, "", kFin | kAck);
    EXPECT_EQ(wire.streams(), 0u);
    wire.server(4);
    EXPECT_EQ(wire.script(), "bye[fin]");
    EXPECT_EQ(wire.record()->close_kind, CloseKind::finished);
}

TEST_F(Strict, ResetWaitsForTheAckOfWhatCameBefore) {
    wire.handshake();
    wire.client(0, "hello");
    wire.client(5, "", kRst);
    EXPECT_EQ(wire.streams(), 0u);
    wire.server(5);
    EXPECT_EQ(wire.bytes(), "hello");
    EXPECT_EQ(wire.record()->close_kind, CloseKind::reset);
}

TEST_F(Strict, ResetDeliversNothingThatWasNotAcknowledged) {
    wire.handshake();
    wire.client(0, "hello");
    wire.server(2);
    wire.client(5, "", kRst);
    wire.wait(1500 * kMillisecond);
    EXPECT_EQ(wire.bytes(), "he");
    EXPECT_EQ(wire.record()->close_kind, CloseKind::reset);
    EXPECT_EQ(wire.observer.dropped(Reason::unacknowledged), 3u);
}

TEST_F(Strict, ServerResetDeliversWhatWasAcknowledged) {
    wire.handshake();
    wire.server(5, "", kRst | kAck);
    wire.client(0, "hello");
    wire.client(5, "lost");
    EXPECT_EQ(wire.bytes(), "hello");
    wire.drained();
    EXPECT_TRUE(wire.record()->closed);
    EXPECT_EQ(wire.record()->close_kind, CloseKind::reset);
    EXPECT_EQ(wire.observer.dropped(Reason::unacknowledged), 4u);
}

TEST_F(Strict, AServerResetOfAnotherAttemptIsIgnored) {
    wire.handshake();
    ServerHeader reset = wire.header(0, {}, kRst);
    reset.seq = 77777777;
    wire.reassembler.on_server(reset);
    wire.drained();
    wire.client(0, "hello");
    wire.server(5);
    EXPECT_EQ(wire.script(), "hello");
}

TEST_F(Strict, DataWithAnAckOfTheFutureWaitsForTheServersPacket) {
    wire.handshake();
    wire.server_offset = 100;
    wire.client(0, "hello");
    wire.server_offset = 0;
    wire.server(0);
    EXPECT_EQ(wire.bytes(), "");
    wire.client(0, "HELLO");  // what the server takes
    wire.server(5);
    EXPECT_EQ(wire.bytes(), "HELLO");
    wire.wait(2 * kSecond);
    EXPECT_EQ(wire.bytes(), "HELLO");
}

TEST_F(Strict, AckOfTheFutureIsBelievedOnceTheServerSentIt) {
    wire.handshake();
    wire.server_offset = 4;
    wire.client(0, "hello");
    wire.server_offset = 0;
    wire.server(0, "200 ");
    wire.server(5);
    EXPECT_EQ(wire.bytes(), "hello");
}

// The server may take such data or not, so nothing is certain any more.
TEST_F(Strict, DataWithAnAckFromBeforeTheConnectionEndsTheFlow) {
    wire.handshake();
    Segment segment = wire.segment(0, "EVIL");
    segment.ack = kServerIsn;
    wire.reassembler.on_segment(segment);
    wire.client(0, "good");
    wire.server(4);
    EXPECT_EQ(wire.bytes(), "");
    EXPECT_EQ(wire.observer.dropped(Reason::out_of_window), 8u);
}

TEST_F(Strict, SynDataCountsIfTheSynAckCoversIt) {
    wire.syn("early");
    wire.syn_ack(5);
    wire.client(5, " late");
    wire.server(10);
    EXPECT_EQ(wire.script(), "early late");
}

TEST_F(Strict, SynDataCountsAlsoIfTheSynAckIsReadFirst) {
    wire.syn_ack(5);
    wire.syn("early");
    wire.client(5, " late");
    wire.server(10);
    EXPECT_EQ(wire.script(), "early late");
}

TEST_F(Strict, SynDataThatTheSynAckLeavesOutIsSentAgain) {
    wire.syn("early");
    wire.syn_ack(0);
    wire.client(0, "early late");
    wire.server(10);
    EXPECT_EQ(wire.script(), "early late");
}

TEST_F(Strict, LostSynDataIsAGap) {
    wire.syn_ack(5);
    wire.syn();
    wire.client(5, "late");
    wire.server(9);
    wire.drained();
    EXPECT_EQ(wire.script(), "[gap 5]late");
}

TEST_F(Strict, MultipathIsRefused) {
    wire.server_options.mptcp = true;
    wire.handshake();
    wire.client(0, "hello");
    wire.server(5);
    wire.syn_ack();
    EXPECT_EQ(wire.streams(), 0u);
    EXPECT_EQ(wire.observer.dropped(Reason::mptcp), 5u);
    EXPECT_EQ(wire.observer.dropped_flows(Reason::mptcp), 1u);
    EXPECT_EQ(wire.observer.muted.size(), 1u);
}

TEST_F(Strict, MultipathThatTheServerDoesNotSpeakIsPlainTcp) {
    wire.client_options.mptcp = true;
    wire.handshake();
    wire.client(0, "hello");
    wire.server(5);
    EXPECT_EQ(wire.script(), "hello");
    EXPECT_EQ(wire.observer.dropped_flows(Reason::mptcp), 0u);
    EXPECT_TRUE(wire.observer.muted.empty());
}

TEST_F(Strict, MidstreamFlowsBeginAtTheServersAck) {
    wire.client(0, "before");
    wire.server(6);
    wire.client(6, "after");
    wire.server(11);
    ASSERT_EQ(wire.streams(), 1u);
    EXPECT_EQ(wire.record()->kind, OpenKind::midstream);
    EXPECT_EQ(wire.script(), "after");
    EXPECT_EQ(wire.observer.dropped(Reason::midstream), 6u);
}

// The SYN-ACK told the window's scale, and nobody saw it: what is far ahead may well be inside the window.
TEST_F(Strict, AMidstreamFlowsWindowMayBeAnyScale) {
    wire.client(0, "before");
    wire.server(6);
    wire.server(6);
    wire.client(6 + (9 << 20), "ahead");
    EXPECT_EQ(wire.observer.dropped(Reason::out_of_window), 0u);
    EXPECT_GT(wire.worker.reassembly_bytes, 0u);
}

TEST_F(Strict, ServerPayloadMarksABoundary) {
    wire.handshake();
    wire.client(0, "GET");
    wire.server(3);
    wire.server(3, "HTTP/1.1 200 OK");
    wire.server(3, "more");
    wire.client(3, "PUT");
    wire.server(6, "HTTP/1.1 404");
    EXPECT_EQ(wire.script(), "GET[server HTTP/1.1 200 OK]PUT[server HTTP/1.1 404]");
}

TEST_F(Strict, MarksWaitForTheCapture) {
    wire.handshake();
    wire.server(3, "one");
    wire.server(6, "two");
    wire.server(9, "three");
    wire.client(0, "abcdefghi");
    EXPECT_EQ(wire.script(), "abc[server one]def[server two]ghi[server three]");
}

TEST_F(Strict, AMarkInsideAGapIsForgottenAtItsEndItHolds) {
    wire.handshake();
    wire.server(3, "one");
    wire.server(6, "two");
    wire.client(6, "ghi");
    wire.server(9, "three");
    wire.drained();
    EXPECT_EQ(wire.script(), "[gap 6][server two]ghi[server three]");
}

TEST_F(Strict, DataSentBeforeTheAnswerWasSeenIsToldApart) {
    wire.handshake();
    wire.client(0, "abc");
    wire.server(3, "answer");
    wire.server_offset = 0;
    wire.client(3, "def");
    wire.server_offset = 6;
    wire.server(6, "next");
    wire.client(6, "ghi");
    wire.server(9);
    EXPECT_EQ(wire.script(), "abc[server answer][unseen]def[server next]ghi");
}

TEST_F(Strict, DataThatWasThereBeforeTheAnswerWasSentWithoutIt) {
    wire.handshake();
    wire.client(0, "abcdef");
    wire.server(3, "one");
    wire.server(6, "two");
    wire.client(9, "lmn");
    wire.server(9, "three");
    wire.drained();
    EXPECT_EQ(wire.script(), "abc[server one][unseen]def[server two][gap 3][server three][unseen]");
}

TEST_F(Strict, AnAnswerThatWaitsForTheCaptureIsJudgedByThePacketsBehindIt) {
    wire.handshake();
    wire.server(3, "answer");
    wire.server_offset = 0;
    wire.client(0, "abc");
    wire.client(3, "def");
    wire.server_offset = 6;
    wire.server(6);
    EXPECT_EQ(wire.script(), "abc[server answer][unseen]def");
    wire.server(9, "answer");
    wire.server_offset = 0;
    wire.client(6, "ghijkl");
    EXPECT_EQ(wire.script(), "abc[server answer][unseen]defghi[server answer][unseen]");
}

TEST_F(Strict, RetransmittedOrUnseenServerPayloadProvesNothing) {
    wire.handshake();
    wire.client(0, "abc");
    wire.server(3, "answer");
    wire.client(3, "def");
    wire.server_offset = 0;
    wire.server(6, "answer");  // retransmitted with a newer ACK
    wire.server_offset = 10;
    wire.server(6, "HTTP/1.1 200");  // bytes before it were not seen
    EXPECT_EQ(wire.script(), "abc[server answer]def");
}

TEST_F(Strict, TheFirstAnswerOfAMidstreamFlowProvesNothingTheNextDoes) {
    wire.server(10, "HTTP/1.1 200");
    wire.server(10, "HTTP/1.1 200");
    wire.client(10, "abc");
    wire.server(13, "HTTP/1.1 201");
    EXPECT_EQ(wire.script(), "abc[server HTTP/1.1 201]");
}

// The client's packet says how much of the server it had: an answer that begins right there is the first one to it.
TEST_F(Strict, TheFirstAnswerOfAMidstreamFlowCountsWhereTheClientHadAllBefore) {
    for (const bool bare_ack_first : {false, true}) {
        Wire joined(Mode::strict);
        joined.client(0, "abc");
        if (bare_ack_first) joined.server(3);
        joined.server(3, "HTTP/1.1 200");
        joined.client(3, "def");
        joined.server(6);
        EXPECT_EQ(joined.script(), "[server HTTP/1.1 200]def");
        EXPECT_EQ(joined.observer.dropped(Reason::midstream), 3u);
        EXPECT_TRUE(joined.observer.closes());
    }
}

// Headers of the server are read before the packets that they answer.
TEST_F(Strict, TheFirstAnswerCountsAlsoWhenItIsReadBeforeThePacketThatItAnswers) {
    for (const std::string_view more : {"", "body"}) {
        Wire joined(Mode::strict);
        joined.server(3, "HTTP/1.1 200");
        if (!more.empty()) joined.server(3, more);
        const std::uint32_t answered = std::exchange(joined.server_offset, 0);
        joined.client(0, "abc");  // sent before the answer
        joined.server_offset = answered;
        joined.client(3, "def");
        joined.server(6, "HTTP/1.1 201");
        EXPECT_EQ(joined.script(), "[server HTTP/1.1 200]def[server HTTP/1.1 201]");
        EXPECT_EQ(joined.observer.dropped(Reason::midstream), 3u);
        EXPECT_TRUE(joined.observer.closes());
    }
    Wire other(Mode::strict);
    other.server_offset = 5;
    other.server(3, "HTTP/1.1 200");
    const std::uint32_t answered = std::exchange(other.server_offset, 0);
    other.client(0, "abc");  // five bytes of the server lie between
    other.server_offset = answered;
    other.client(3, "def");
    other.server(6);
    EXPECT_EQ(other.script(), "def");
}

TEST_F(Strict, ItDoesNotWhereServerBytesMayBeMissingOrTheClientWentOnWithoutIt) {
    wire.client(0, "abc");
    wire.server_offset = 10;
    wire.server(3, "HTTP/1.1 200");  // ten bytes before it that the client had not had either
    wire.client(3, "def");
    wire.server(6);
    EXPECT_EQ(wire.script(), "def");

    Wire partly(Mode::strict);
    partly.client(0, "abcdef");
    partly.server(3, "HTTP/1.1 200");  // it answers before it has read the packet
    partly.server(6);
    EXPECT_EQ(partly.script(), "def");

    Wire pipelined(Mode::strict);
    pipelined.client(0, "abc");
    pipelined.client(3, "def");
    pipelined.server(3, "HTTP/1.1 200");
    pipelined.server(6);
    EXPECT_EQ(pipelined.script(), "[server HTTP/1.1 200][unseen]def");
}

TEST_F(Strict, ConflictWithHeldBytesEndsTheFlow) {
    wire.handshake();
    wire.client(0, "abcd");
    wire.client(0, "abXd");
    wire.server(4);
    EXPECT_EQ(wire.streams(), 0u);
    EXPECT_EQ(wire.observer.dropped(Reason::overlap_conflict), 8u);
    EXPECT_EQ(wire.observer.dropped_flows(Reason::overlap_conflict), 1u);
}

TEST_F(Strict, AContradictionIsSeenBehindBytesThatAreGone) {
    wire.handshake();
    wire.client(0, "abcd");
    wire.server(2);
    wire.client(0, "abcX");
    EXPECT_EQ(wire.bytes(), "ab");
    EXPECT_EQ(wire.record()->close_reason, Reason::overlap_conflict);
}

TEST_F(Strict, AKeepAliveProbeContradictsNothing) {
    wire.handshake();
    wire.client(0, "abcd");
    wire.server(4);
    wire.client(3, "Z");
    EXPECT_EQ(wire.bytes(), "abcd");
    EXPECT_EQ(wire.observer.dropped(Reason::duplicate), 1u);
}

TEST_F(Strict, AByteThatWasNotAcknowledgedIsNoKeepAliveProbe) {
    wire.handshake();
    wire.client(0, "a");
    wire.client(0, "Z");
    wire.server(1);
    EXPECT_EQ(wire.streams(), 0u);
    EXPECT_EQ(wire.observer.dropped(Reason::overlap_conflict), 2u);
}

TEST_F(Strict, EqualRetransmissionOfHeldBytesIsADuplicate) {
    wire.handshake();
    for (int i = 0; i < 100; ++i) wire.client(3 * i, "abc");
    for (int i = 0; i < 100; ++i) wire.client(3 * i, "abcabc");
    wire.server(303);
    EXPECT_EQ(wire.bytes().size(), 303u);
    EXPECT_EQ(wire.observer.dropped(Reason::overlap_conflict), 0u);
}

TEST_F(Strict, ARefusedFlowIsMutedAndItsBytesAreCounted) {
    wire.observer.refuse = true;
    wire.handshake();
    wire.server(5);
    wire.client(0, "hello");
    EXPECT_EQ(wire.observer.muted.size(), 1u);
    EXPECT_EQ(wire.observer.dropped(Reason::unmatched), 5u);
    wire.client(5, "world");
    EXPECT_EQ(wire.observer.dropped(Reason::unmatched), 10u);
}

TEST_F(Strict, FlowsOfNoRuleAreNotLookedAt) {
    wire.observer.ruled = false;
    wire.handshake();
    wire.client(0, "hello");
    wire.server(5);
    EXPECT_EQ(wire.worker.flows + wire.worker.embryos, 0u);
    EXPECT_EQ(wire.observer.ledger.seen.bytes, 0u);
}

TEST_F(Strict, AnEmptyConnectionIsNoFlow) {
    wire.handshake();
    wire.client(0, "", kFin | kAck);
    wire.server(1, "", kFin | kAck);
    EXPECT_EQ(wire.streams(), 0u);
    EXPECT_EQ(wire.worker.flows, 0u);
    EXPECT_EQ(wire.observer.ledger.seen.flows, 0u);
}

}  // namespace
}  // namespace umbra::test
