// Flows that were open before, lost packets, raw streams and upgrades.
#include <gtest/gtest.h>

#include "unit/protocol/recording_sink.h"

namespace umbra {
namespace {

using test::FlowHarness;

const std::string kOk = "HTTP/1.1 200 OK\r";
const std::string kContinue = "HTTP/1.1 100 Con";
const std::string kSwitching = "HTTP/1.1 101 Swi";

std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"; }
const std::string kPart = "POST /p HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc";

std::vector<std::string> states(const FlowHarness& harness) {
    std::vector<std::string> out;
    for (const auto& request : harness.sink.requests) out.push_back(request.target + " " + request.state);
    return out;
}
using States = std::vector<std::string>;

TEST(Join, MidstreamSkipsToTheFirstProvenBoundary) {
    for (const std::size_t piece : {1, 5, 1000}) {
        FlowHarness harness(OpenKind::midstream);
        harness.data_in_pieces("rest of a body" + get("/not-yet"), piece);
        EXPECT_TRUE(harness.sink.requests.empty());
        harness.server(kOk);
        harness.data_in_pieces(get("/a") + get("/b"), piece);
        EXPECT_EQ(states(harness), (States{"/a ended", "/b ended"}));
        EXPECT_EQ(harness.worker.flows_joined, 1u);
        harness.close();
        EXPECT_EQ(harness.dropped(Reason::midstream), ("rest of a body" + get("/not-yet")).size());
    }
}

TEST(Join, ABodyIsNeverSentAsARequest) {
    FlowHarness harness(OpenKind::midstream);
    harness.server(kContinue);
    harness.data(get("/in-a-body"));
    harness.server("more of a respon");
    harness.data(get("/in-a-body"));
    harness.server("HTTP/2 200 OK\r\n\r");
    harness.data(get("/in-a-body"));
    harness.server(kSwitching.substr(0, 5));
    harness.data(get("/in-a-body"));
    EXPECT_TRUE(harness.sink.requests.empty());
    harness.close();
    EXPECT_EQ(harness.row.dropped.midstream.flows, 1u);
}

TEST(Join, ACandidateThatIsNoRequestIsSkipped) {
    FlowHarness harness(OpenKind::midstream);
    harness.server(kOk);
    harness.data("binary body that comes after an early answer\r\n\r\n" + get("/inside"));
    harness.data(get("/inside"));
    EXPECT_TRUE(harness.sink.requests.empty());
    EXPECT_EQ(harness.muted(), 0);
    harness.server(kOk);
    harness.data(get("/a"));
    EXPECT_EQ(states(harness), (States{"/a ended"}));
}

TEST(Join, AnAnswerInsideACandidateStartsOver) {
    FlowHarness harness(OpenKind::midstream);
    harness.server(kOk);
    harness.data("GET /half HTTP/1.1\r\nHo");
    harness.server(kOk);
    harness.data(get("/a"));
    EXPECT_EQ(states(harness), (States{"/a ended"}));
    EXPECT_EQ(harness.dropped(Reason::midstream), 22u);
}

TEST(Join, AGapAbortsTheRequestAndSkips) {
    FlowHarness harness;
    harness.data(get("/a") + kPart);
    harness.gap();
    harness.data("xyz" + get("/b"));
    harness.server(kOk);
    harness.data(get("/c"));
    EXPECT_EQ(states(harness), (States{"/a ended", "/p gap", "/c ended"}));
    EXPECT_EQ(harness.worker.flows_joined, 1u);
    EXPECT_EQ(harness.dropped(Reason::gap), kPart.size() + 3 + get("/b").size());
}

TEST(Join, AGapInsideACountedBodyNeedsNoProof) {
    const std::string rest(897, 'z');
    for (const std::size_t piece : {1, 7, 10'000}) {
        FlowHarness harness;
        harness.data(kPart);
        harness.gap(100);
        harness.server(kOk);  // too early to prove anything: the body goes on
        harness.data_in_pieces(rest + get("/b") + get("/c"), piece);
        EXPECT_EQ(states(harness), (States{"/p gap", "/b ended", "/c ended"}));
        EXPECT_EQ(harness.worker.flows_joined, 1u);
        harness.close();
        EXPECT_EQ(harness.dropped(Reason::gap), kPart.size() + rest.size());
    }
}

TEST(Join, GapsUpToTheEndOfACountedBodyNeedNoProof) {
    FlowHarness harness;
    harness.data(kPart);
    harness.gap(500);
    harness.data(get("/inside"));
    harness.gap(997 - 500 - static_cast<std::uint32_t>(get("/inside").size()));
    harness.data(get("/b"));
    EXPECT_EQ(states(harness), (States{"/p gap", "/b ended"}));
    EXPECT_EQ(harness.worker.gaps, 2u);
    EXPECT_EQ(harness.worker.broken_flows, 1u);
}

TEST(Join, AGapBeyondACountedBodyNeedsProof) {
    for (const bool at_once : {true, false}) {
        FlowHarness harness;
        harness.data(kPart);
        if (!at_once) harness.gap(500);
        harness.gap(at_once ? 998 : 498);
        harness.data(get("/unknown"));
        EXPECT_EQ(states(harness), (States{"/p gap"}));
        harness.server(kOk);
        harness.data(get("/b"));
        EXPECT_EQ(states(harness), (States{"/p gap", "/b ended"}));
    }
}

TEST(Join, AGapInTheLastRequestsBodyIsNotFollowedByAnother) {
    FlowHarness harness;
    harness.data("POST /p HTTP/1.1\r\nConnection: close\r\nContent-Length: 10\r\n\r\nabc");
    harness.gap(7);
    harness.data(get("/b"));
    EXPECT_EQ(states(harness), (States{"/p gap"}));
}

// A client that pipelines, reads an answer and goes on in the middle of a later head.
TEST(Join, TheEndOfAMethodIsNoMethod) {
    for (const std::string head : {"ET", "OST", "UT", "ATCH", "ELETE", "PROPFIND"}) {
        for (const std::size_t piece : {1, 1000}) {
            FlowHarness harness;
            harness.gap();
            harness.server(kOk);
            harness.data_in_pieces(head + get("/tail").substr(3), piece);
            EXPECT_TRUE(harness.sink.requests.empty()) << head;
            harness.server(kOk);
            harness.data(get("/b") + "PROPFIND" + get("/c").substr(3));
            EXPECT_EQ(states(harness), (States{"/b ended", "/c ended"}));
        }
    }
}

TEST(Join, AnAnswerThatTheClientHadNotSeenProvesNothing) {
    FlowHarness harness;
    harness.gap();
    harness.data("the end of one request and the head of another");
    harness.server(kOk);
    harness.answer_unseen();
    harness.data(get("/in-a-body"));
    EXPECT_TRUE(harness.sink.requests.empty());
    harness.server(kOk);
    harness.data(get("/b"));
    harness.answer_unseen();
    harness.data(get("/c"));
    EXPECT_EQ(states(harness), (States{"/b ended", "/c ended"}));
}

TEST(Join, AGapBetweenRequestsOrInAHeadSkips) {
    FlowHarness harness;
    harness.data(get("/a"));
    harness.gap();
    harness.data(get("/b") + "GET /c HT");
    harness.server(kContinue);
    harness.data("TP/1.1\r\n\r\n");
    harness.server(kOk);
    harness.data("GET /d HT");
    harness.gap();
    harness.data("TP/1.1\r\n\r\n" + get("/e"));
    EXPECT_EQ(states(harness), (States{"/a ended"}));
    harness.server(kOk);
    harness.data(get("/f"));
    EXPECT_EQ(states(harness), (States{"/a ended", "/f ended"}));
}

TEST(Join, AGapBeforeTheFirstByteSkips) {
    FlowHarness harness;
    harness.gap();
    harness.data(get("/a"));
    harness.server(kOk);
    harness.data(get("/b"));
    EXPECT_EQ(states(harness), (States{"/b ended"}));
}

TEST(Join, EveryCutOfAJoinedStreamGivesTheSame) {
    const std::string next = kPart.substr(0, kPart.size() - 3) + std::string(1000, 'z') + get("/b");
    for (std::size_t cut = 0; cut <= next.size(); cut += 3) {
        FlowHarness harness;
        harness.data(kPart);
        harness.gap();
        harness.data("noise");
        harness.server(kOk);
        if (cut) harness.data(next.substr(0, cut));
        if (cut < next.size()) harness.data(next.substr(cut));
        ASSERT_EQ(states(harness), (States{"/p gap", "/p ended", "/b ended"})) << cut;
    }
}

// Limits: blind_turns.
TEST(Join, AFlowWithoutAnyHttpIsGivenUp) {
    FlowHarness harness(OpenKind::midstream);
    for (int turn = 0; turn < 100 && harness.muted() == 0; ++turn) {
        harness.data("*1\r\n$4\r\nPING\r\n");
        harness.server("+PONG\r\n");
        harness.server("more");
    }
    EXPECT_EQ(harness.muted(), 1);
    harness.data("*1");
    harness.close();
    EXPECT_EQ(harness.row.dropped.midstream.flows, 1u);
    EXPECT_FALSE(harness.sink.is_raw);
}

TEST(Raw, BytesPassAsTheyCameWithTheHalfClose) {
    const std::string stream("*1\r\n$4\r\nPING\r\n\0\0\x01\xff", 18);
    for (const std::size_t piece : {1, 4, 100}) {
        FlowHarness harness;
        harness.data_in_pieces(stream, piece);
        EXPECT_EQ(harness.sink.raw, stream);
        harness.close();
        EXPECT_EQ(harness.sink.half_closes, 1);
        EXPECT_EQ(harness.row.mirrored.flows, 1u);
    }
}

TEST(Raw, AGapEndsIt) {
    FlowHarness harness;
    harness.data("*1\r\n");
    harness.gap();
    harness.data("PING");
    EXPECT_EQ(harness.sink.raw, "*1\r\n");
    EXPECT_EQ(harness.sink.closes, 1);
    EXPECT_EQ(harness.muted(), 1);
    harness.close();
    EXPECT_EQ(harness.dropped(Reason::gap), 4u);
}

TEST(Raw, UndecidedBytesAreRawWhenTheClientFinishesOrTheServerSpeaks) {
    FlowHarness finished;
    finished.data("HELLO");
    EXPECT_FALSE(finished.sink.is_raw);
    finished.close();
    EXPECT_EQ(finished.sink.raw, "HELLO");
    FlowHarness answered;
    answered.data("HELLO");
    answered.server("220 welcome");
    answered.data(" AGAIN");
    EXPECT_EQ(answered.sink.raw, "HELLO AGAIN");
}

const std::string kUpgrade = "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

TEST(Upgrade, RawFollowsWhenTheServerSwitches) {
    FlowHarness harness;
    harness.data(get("/a"));
    harness.server(kOk);
    harness.data(kUpgrade);
    harness.data("\x81\x01");
    EXPECT_FALSE(harness.sink.is_raw);
    harness.server(kContinue);
    harness.server(kSwitching);
    harness.data("frame");
    EXPECT_EQ(states(harness), (States{"/a ended", "/ws ended"}));
    EXPECT_EQ(harness.sink.raw,
              "\x81\x01"
              "frame");
    harness.close();
    EXPECT_EQ(harness.sink.half_closes, 1);
}

// The answer to /a would be taken for the one to /ws.
TEST(Upgrade, ARequestToSwitchBehindAnUnansweredOneEndsTheFlow) {
    FlowHarness harness;
    harness.data(get("/a") + kUpgrade);
    harness.server(kOk);
    harness.data(get("/inside"));
    EXPECT_EQ(states(harness), (States{"/a ended", "/ws ended"}));
    EXPECT_FALSE(harness.sink.is_raw);
    EXPECT_EQ(harness.dropped(Reason::http_ambiguous), get("/inside").size());
}

TEST(Upgrade, ARefusalKeepsTheEndOfTheConnection) {
    FlowHarness harness;
    harness.data("GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: x\r\n\r\n" + get("/pay"));
    harness.server(kOk);
    EXPECT_EQ(states(harness), (States{"/a ended"}));
    EXPECT_EQ(harness.dropped(Reason::http_ambiguous), get("/pay").size());
}

TEST(HeldBytes, WhatAllFlowsHoldIsBounded) {
    FlowHarness harness;
    harness.context.limits.held_bytes = 100;
    harness.data("GET /" + std::string(95, 'a'));
    EXPECT_EQ(harness.context.held, 100u);
    EXPECT_EQ(harness.muted(), 0);
    harness.data("b");
    EXPECT_EQ(harness.context.held, 0u);
    EXPECT_EQ(harness.muted(), 1);
    EXPECT_EQ(harness.dropped(Reason::memory), 101u);
}

TEST(HeldBytes, AConnectionOfHttp2CountsItsDecoder) {
    FlowHarness harness;
    harness.sink.take_http2();
    harness.context.limits.held_bytes = kDecoderBytes;
    harness.data("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    EXPECT_EQ(harness.context.held, kDecoderBytes);
    harness.close();
}

TEST(Upgrade, HttpGoesOnWhenTheServerRefuses) {
    FlowHarness harness;
    harness.data(kUpgrade + get("/b"));
    EXPECT_EQ(states(harness), (States{"/ws ended"}));
    harness.server(kOk);
    harness.data(get("/c"));
    EXPECT_EQ(states(harness), (States{"/ws ended", "/b ended", "/c ended"}));
    EXPECT_FALSE(harness.sink.is_raw);
}

TEST(Upgrade, ConnectSwitchesOnSuccess) {
    for (const bool success : {true, false}) {
        FlowHarness harness;
        harness.data("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
        harness.server(success ? kOk : "HTTP/1.1 403 For");
        harness.data(get("/inside"));
        EXPECT_EQ(harness.sink.is_raw, success);
        EXPECT_EQ(harness.sink.requests.size(), success ? 1u : 2u);
    }
}

TEST(Upgrade, TooManyBytesBeforeTheAnswerEndIt) {
    FlowHarness harness;
    harness.data(kUpgrade);
    harness.data(std::string(60'000, 'x'));
    EXPECT_EQ(harness.muted(), 0);
    harness.data(std::string(60'000, 'x'));
    EXPECT_EQ(harness.muted(), 1);
    EXPECT_EQ(harness.dropped(Reason::http_ambiguous), 120'000u);
}

TEST(Upgrade, OfARefusedRequestIsDropped) {
    FlowHarness harness(OpenKind::handshake, [](const RequestHead&) { return nullptr; });
    harness.data(kUpgrade);
    harness.server(kSwitching);
    harness.data("frame");
    EXPECT_FALSE(harness.sink.is_raw);
    EXPECT_EQ(harness.muted(), 1);
    EXPECT_EQ(harness.dropped(Reason::unmatched), kUpgrade.size() + 5);
}

TEST(Upgrade, AGapWhileUndecidedNeverTurnsRaw) {
    FlowHarness harness;
    harness.data(kUpgrade);
    harness.gap();
    harness.data("frame");
    harness.server(kSwitching);
    harness.data("frame");
    EXPECT_FALSE(harness.sink.is_raw);
    EXPECT_EQ(harness.muted(), 1);
}

}  // namespace
}  // namespace umbra
