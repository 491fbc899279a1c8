// One row per rule of the Linux receiver, judged from the client's side alone.
#include <gtest/gtest.h>

#include <functional>

#include "unit/reassembly/stream_test_support.h"

namespace umbra::test {
namespace {

struct Rule {
    const char* name;
    std::function<void(Wire&)> play;
    std::string script;                    // what the sink was told
    std::optional<CloseKind> closed = {};  // before the end of the test
};

void PrintTo(const Rule& rule, std::ostream* out) { *out << rule.name; }

class ReceiverRule : public testing::TestWithParam<Rule> {};

TEST_P(ReceiverRule, Holds) {
    const Rule& rule = GetParam();
    for (const std::uint32_t isn : {kIsn, 0xffffffffu, 0xfffffffeu, 0xfffffff5u, 0x7ffffffau}) {
        Wire wire(Mode::one_sided, as_linux(), isn);
        wire.syn();
        rule.play(wire);
        EXPECT_EQ(wire.script(), rule.script) << "isn " << isn;
        EXPECT_EQ(wire.streams() > 0 && wire.record()->closed, rule.closed.has_value()) << "isn " << isn;
        if (rule.closed) {
            ASSERT_GT(wire.streams(), 0u);
            EXPECT_EQ(wire.record()->close_kind, *rule.closed);
        }
        wire.reassembler.shutdown(wire.now);
        EXPECT_TRUE(wire.observer.closes());
        EXPECT_EQ(wire.observer.ledger.in_flight.bytes, 0u);
        EXPECT_EQ(wire.worker.reassembly_bytes, 0u);
    }
}

void urgent(Wire& wire, std::uint32_t offset, std::string_view payload, std::uint16_t pointer) {
    Segment segment = wire.segment(offset, payload, kAck | kUrg);
    segment.urgent_pointer = pointer;
    wire.reassembler.on_segment(segment);
}

void stamped(Wire& wire, std::uint32_t offset, std::string_view payload, std::uint32_t tsval,
             std::uint8_t flags = kAck) {
    Segment segment = wire.segment(offset, payload, flags);
    segment.options.tsval = tsval;
    wire.reassembler.on_segment(segment);
}

void stamped_syn(Wire& wire, std::uint32_t tsval) {
    wire.client_options.tsval = tsval;
    wire.client_options.sack_permitted = true;
    wire.syn({}, 0x100000);  // another ISN: a new attempt replaces the first
    wire.client_options.sack_permitted = true;
    wire.syn();
}

INSTANTIATE_TEST_SUITE_P(Data, ReceiverRule,
                         testing::Values(Rule{"in_order",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(2, "cd");
                                              },
                                              "abcd"},
                                         Rule{"out_of_order",
                                              [](Wire& w) {
                                                  w.client(2, "cd");
                                                  w.client(0, "ab");
                                              },
                                              "abcd"},
                                         Rule{"duplicate",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(0, "ab");
                                                  w.client(2, "c");
                                              },
                                              "abc"},
                                         Rule{"longer_retransmission",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(0, "abcd");
                                              },
                                              "abcd"},
                                         Rule{"delivered_bytes_are_final",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(0, "XYc");
                                              },
                                              "abc"},
                                         Rule{"in_order_beats_queued",
                                              [](Wire& w) {
                                                  w.client(1, "XXX");
                                                  w.client(0, "abc");
                                              },
                                              "abcX"},
                                         Rule{"lower_start_wins",
                                              [](Wire& w) {
                                                  w.client(2, "ccc");
                                                  w.client(1, "bbb");
                                                  w.client(0, "a");
                                              },
                                              "abbbc"},
                                         Rule{"same_start_longer_wins",
                                              [](Wire& w) {
                                                  w.client(1, "x");
                                                  w.client(1, "yy");
                                                  w.client(0, "a");
                                              },
                                              "ayy"},
                                         Rule{"same_range_first_wins",
                                              [](Wire& w) {
                                                  w.client(1, "x");
                                                  w.client(1, "y");
                                                  w.client(0, "a");
                                              },
                                              "ax"},
                                         Rule{"covering_new_wins",
                                              [](Wire& w) {
                                                  w.client(2, "q");
                                                  w.client(1, "nnn");
                                                  w.client(0, "a");
                                              },
                                              "annn"},
                                         Rule{"keep_alive_garbage",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(1, "Z");
                                                  w.client(2, "c");
                                              },
                                              "abc"},
                                         Rule{"keep_alive_before_data",
                                              [](Wire& w) {
                                                  w.client(-1u, "Z");
                                                  w.client(0, "a");
                                              },
                                              "a"},
                                         Rule{"empty_keep_alive",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(1, "");
                                                  w.client(2, "c");
                                              },
                                              "abc"},
                                         Rule{"zero_window_byte",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(2, "c");
                                                  w.client(2, "cd");
                                              },
                                              "abcd"},
                                         Rule{"garbage_before_the_stream",
                                              [](Wire& w) {
                                                  w.client(-2u, "ZZab");
                                                  w.client(2, "c");
                                              },
                                              "abc"},
                                         Rule{"no_ack_flag",
                                              [](Wire& w) {
                                                  w.client(0, "x", 0);
                                                  w.client(0, "y", kPsh);
                                                  w.client(0, "a");
                                              },
                                              "a"},
                                         Rule{"xmas",
                                              [](Wire& w) {
                                                  w.client(0, "x", kFin | kPsh | kUrg);
                                                  w.client(0, "a");
                                              },
                                              "a"},
                                         Rule{"far_ahead",
                                              [](Wire& w) {
                                                  w.client(0x40000000, "x");
                                                  w.client(0, "a");
                                              },
                                              "a"},
                                         Rule{"far_behind",
                                              [](Wire& w) {
                                                  w.client(0, "a");
                                                  w.client(-0x40000000u, "x");
                                                  w.client(1, "b");
                                              },
                                              "ab"},
                                         Rule{"hole_stops",
                                              [](Wire& w) {
                                                  w.client(0, "a");
                                                  w.client(2, "c");
                                              },
                                              "a"}));

INSTANTIATE_TEST_SUITE_P(Reset, ReceiverRule,
                         testing::Values(Rule{"exact",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(2, "", kRst);
                                              },
                                              "ab", CloseKind::reset},
                                         Rule{"any_ack_number",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.server_offset = 0x1234567;
                                                  w.client(2, "", kRst | kAck);
                                              },
                                              "ab", CloseKind::reset},
                                         Rule{"with_data",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(2, "xyz", kRst);
                                              },
                                              "ab", CloseKind::reset},
                                         Rule{"in_window_not_exact",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(3, "", kRst);
                                                  w.client(2, "c");
                                              },
                                              "abc"},
                                         Rule{"covering_next",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(1, "xyz", kRst);
                                                  w.client(2, "c");
                                              },
                                              "abc"},
                                         Rule{"just_before_next",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(1, "", kRst);
                                                  w.client(2, "c");
                                              },
                                              "abc"},
                                         Rule{"far_ahead_of_the_window",
                                              [](Wire& w) {
                                                  w.client(0, "a");
                                                  w.client(0x10000000, "", kRst);
                                                  w.client(1, "b");
                                              },
                                              "ab"},
                                         Rule{"far_behind_the_window",
                                              [](Wire& w) {
                                                  w.client(0, "a");
                                                  w.client(-0x10000000u, "", kRst);
                                                  w.client(1, "b");
                                              },
                                              "ab"},
                                         Rule{"discards_out_of_order",
                                              [](Wire& w) {
                                                  w.client(0, "a");
                                                  w.client(2, "c");
                                                  w.client(1, "", kRst);
                                              },
                                              "a", CloseKind::reset},
                                         Rule{"right_edge_of_sack",
                                              [](Wire& w) {
                                                  stamped_syn(w, 1);
                                                  w.client(0, "a");
                                                  w.client(2, "cd");
                                                  w.client(4, "", kRst);
                                              },
                                              "a", CloseKind::reset},
                                         Rule{"left_edge_of_sack",
                                              [](Wire& w) {
                                                  stamped_syn(w, 1);
                                                  w.client(0, "a");
                                                  w.client(2, "cd");
                                                  w.client(2, "", kRst);
                                              },
                                              "a"},
                                         Rule{"former_right_edge_of_sack",
                                              [](Wire& w) {
                                                  stamped_syn(w, 1);
                                                  w.client(2, "cd");
                                                  w.client(0, "ab");
                                                  w.client(4, "e");
                                                  w.client(4, "", kRst);
                                              },
                                              "abcde"},
                                         Rule{"right_edge_without_sack",
                                              [](Wire& w) {
                                                  w.client(0, "a");
                                                  w.client(2, "cd");
                                                  w.client(4, "", kRst);
                                              },
                                              "a"},
                                         Rule{"old_timestamp",
                                              [](Wire& w) {
                                                  stamped_syn(w, 1000);
                                                  stamped(w, 0, "a", 1001);
                                                  stamped(w, 1, "", 5, kRst);
                                              },
                                              "a", CloseKind::reset},
                                         Rule{"before_any_data",
                                              [](Wire& w) {
                                                  w.client(0, "", kRst);
                                                  w.client(0, "a");
                                              },
                                              ""},
                                         Rule{"before_any_data_not_exact",
                                              [](Wire& w) {
                                                  w.client(1, "", kRst);
                                                  w.client(0, "a");
                                              },
                                              "a"}));

INSTANTIATE_TEST_SUITE_P(Syn, ReceiverRule,
                         testing::Values(Rule{"repeated",
                                              [](Wire& w) {
                                                  w.syn();
                                                  w.client(0, "a");
                                                  w.syn();
                                                  w.client(1, "b");
                                              },
                                              "ab"},
                                         Rule{"new_isn_in_established",
                                              [](Wire& w) {
                                                  w.client(0, "a");
                                                  w.syn({}, 77777);
                                                  w.client(1, "b");
                                              },
                                              "ab"},
                                         Rule{"in_window_with_data",
                                              [](Wire& w) {
                                                  w.client(0, "a");
                                                  w.client(1, "x", kSyn | kAck);
                                                  w.client(1, "b");
                                              },
                                              "ab"},
                                         Rule{"with_fin",
                                              [](Wire& w) {
                                                  w.client(0, "a");
                                                  w.client(1, "", kSyn | kFin);
                                                  w.client(1, "b");
                                              },
                                              "ab"},
                                         Rule{"first_data_out_of_order",
                                              [](Wire& w) {
                                                  w.client(1, "b");
                                                  w.client(0, "a");
                                              },
                                              "ab"},
                                         Rule{"data_and_fin_at_once", [](Wire& w) { w.client(0, "a", kAck | kFin); },
                                              "a[fin]", CloseKind::finished},
                                         Rule{"port_reused_after_fin",
                                              [](Wire& w) {
                                                  w.client(0, "a", kAck | kFin);
                                                  w.move_isn(900000);
                                                  w.syn();
                                                  w.client(0, "b");
                                              },
                                              "a[fin]", CloseKind::finished}));

INSTANTIATE_TEST_SUITE_P(Fin, ReceiverRule,
                         testing::Values(Rule{"plain",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(2, "", kFin | kAck);
                                              },
                                              "ab[fin]", CloseKind::finished},
                                         Rule{"out_of_order",
                                              [](Wire& w) {
                                                  w.client(2, "c", kFin | kAck);
                                                  w.client(0, "ab");
                                              },
                                              "abc[fin]", CloseKind::finished},
                                         Rule{"overlapping_retransmission",
                                              [](Wire& w) {
                                                  w.client(0, "ab");
                                                  w.client(1, "bcd", kFin | kAck);
                                              },
                                              "abcd[fin]", CloseKind::finished},
                                         Rule{"data_behind_it",
                                              [](Wire& w) {
                                                  w.client(0, "ab", kFin | kAck);
                                                  w.client(3, "x");
                                                  w.client(2, "y");
                                              },
                                              "ab[fin]", CloseKind::finished},
                                         Rule{"data_behind_it_queued",
                                              [](Wire& w) {
                                                  w.client(3, "xy");
                                                  w.client(0, "ab", kFin | kAck);
                                              },
                                              "ab[fin]", CloseKind::finished},
                                         Rule{"two_of_them",
                                              [](Wire& w) {
                                                  w.client(4, "", kFin | kAck);
                                                  w.client(0, "ab", kFin | kAck);
                                              },
                                              "ab[fin]", CloseKind::finished},
                                         Rule{"overwritten_by_data",
                                              [](Wire& w) {
                                                  w.client(1, "", kFin | kAck);
                                                  w.client(0, "abc");
                                              },
                                              "abc"},
                                         Rule{"without_ack_flag",
                                              [](Wire& w) {
                                                  w.client(0, "a");
                                                  w.client(1, "", kFin);
                                                  w.client(1, "b");
                                              },
                                              "ab"},
                                         Rule{"reset_after_it",
                                              [](Wire& w) {
                                                  w.client(0, "a", kFin | kAck);
                                                  w.client(1, "", kRst);
                                              },
                                              "a[fin]", CloseKind::finished}));

INSTANTIATE_TEST_SUITE_P(Timestamps, ReceiverRule,
                         testing::Values(Rule{"older_by_two",
                                              [](Wire& w) {
                                                  stamped_syn(w, 1000);
                                                  stamped(w, 0, "x", 998);
                                                  stamped(w, 0, "a", 1000);
                                              },
                                              "a"},
                                         Rule{"older_by_one",
                                              [](Wire& w) {
                                                  stamped_syn(w, 1000);
                                                  stamped(w, 0, "a", 999);
                                              },
                                              "a"},
                                         Rule{"huge_jump",
                                              [](Wire& w) {
                                                  stamped_syn(w, 1000);
                                                  stamped(w, 0, "x", 1000u + 0x80000001u);
                                              },
                                              ""},
                                         Rule{"gap_filled_with_older_one",
                                              [](Wire& w) {
                                                  stamped_syn(w, 1000);
                                                  stamped(w, 1, "b", 2000);
                                                  stamped(w, 0, "a", 1500);
                                              },
                                              "ab"},
                                         Rule{"missing_one",
                                              [](Wire& w) {
                                                  stamped_syn(w, 1000);
                                                  w.client(0, "a");
                                              },
                                              "a"},
                                         Rule{"garbage_as_echo",
                                              [](Wire& w) {
                                                  stamped_syn(w, 1000);
                                                  Segment segment = w.segment(0, "a");
                                                  segment.options.tsval = 1001;
                                                  segment.options.tsecr = 0xdeadbeef;
                                                  w.reassembler.on_segment(segment);
                                              },
                                              "a"},
                                         Rule{"not_negotiated",
                                              [](Wire& w) {
                                                  stamped(w, 0, "a", 100);
                                                  stamped(w, 1, "b", 5);
                                              },
                                              "ab"},
                                         Rule{"after_24_days",
                                              [](Wire& w) {
                                                  stamped_syn(w, 1000);
                                                  stamped(w, 0, "a", 2000);
                                                  w.now += 25ULL * 24 * 3600 * kSecond;
                                                  stamped(w, 1, "b", 5);
                                              },
                                              "ab"}));

INSTANTIATE_TEST_SUITE_P(Urgent, ReceiverRule,
                         testing::Values(Rule{"byte_is_taken_out",
                                              [](Wire& w) {
                                                  urgent(w, 0, "abc", 2);
                                                  w.client(3, "d");
                                              },
                                              "acd"},
                                         Rule{"pointer_zero_takes_the_first", [](Wire& w) { urgent(w, 0, "abc", 0); },
                                              "bc"},
                                         Rule{"byte_in_a_later_segment",
                                              [](Wire& w) {
                                                  urgent(w, 0, "ab", 4);
                                                  w.client(2, "cdef");
                                              },
                                              "abcef"},
                                         Rule{"second_one_puts_the_first_back",
                                              [](Wire& w) {
                                                  urgent(w, 0, "ab", 4);
                                                  urgent(w, 2, "c", 4);
                                                  w.client(3, "defg");
                                              },
                                              "abcdeg"},
                                         Rule{"pointer_without_flag",
                                              [](Wire& w) {
                                                  Segment segment = w.segment(0, "abc");
                                                  segment.urgent_pointer = 2;
                                                  w.reassembler.on_segment(segment);
                                              },
                                              "abc"}));

INSTANTIATE_TEST_SUITE_P(Header, ReceiverRule,
                         testing::Values(Rule{"unexpected_md5",
                                              [](Wire& w) {
                                                  Segment segment = w.segment(0, "x");
                                                  segment.options.md5 = true;
                                                  w.reassembler.on_segment(segment);
                                                  w.client(0, "a");
                                              },
                                              "a"},
                                         Rule{"syn_data_when_the_client_repeats_it",
                                              [](Wire& w) {
                                                  w.move_isn(70000);
                                                  w.syn("hi");
                                                  w.client(0, "hi!");
                                              },
                                              "hi!"},
                                         Rule{"syn_data_when_the_client_goes_on",
                                              [](Wire& w) {
                                                  w.move_isn(70000);
                                                  w.syn("hi");
                                                  w.client(2, "!");
                                              },
                                              "hi!"}));

TEST(ReceiverRules, PortReuseOpensASecondStream) {
    Wire wire(Mode::one_sided);
    wire.syn();
    wire.client(0, "first", kAck | kFin);
    wire.client(0, "first", kAck | kFin);
    EXPECT_EQ(wire.observer.dropped(Reason::duplicate), 5u);
    wire.move_isn(900000);
    wire.syn();
    wire.client(0, "second");
    ASSERT_EQ(wire.streams(), 2u);
    EXPECT_EQ(wire.script(0), "first[fin]");
    EXPECT_EQ(wire.script(1), "second");
}

TEST(ReceiverRules, ContradictionEndsTheFlowByDefault) {
    Wire wire(Mode::one_sided);
    wire.syn();
    wire.client(0, "ab");
    wire.client(3, "dd");
    wire.client(3, "de");
    ASSERT_TRUE(wire.record()->closed);
    EXPECT_EQ(wire.record()->close_kind, CloseKind::abandoned);
    EXPECT_EQ(wire.record()->close_reason, Reason::overlap_conflict);
    EXPECT_EQ(wire.observer.muted.size(), 1u);
    wire.client(2, "c");
    EXPECT_EQ(wire.bytes(), "ab");
    EXPECT_EQ(wire.observer.dropped(Reason::overlap_conflict), 5u);
    EXPECT_EQ(wire.observer.ledger.in_flight.bytes, 0u);
    EXPECT_TRUE(wire.observer.closes());
}

TEST(ReceiverRules, UrgentDataEndsTheFlowByDefault) {
    Wire wire(Mode::one_sided);
    wire.syn();
    wire.client(0, "ab");
    urgent(wire, 2, "cd", 1);
    EXPECT_EQ(wire.bytes(), "ab");
    EXPECT_EQ(wire.record()->close_reason, Reason::urgent);
    EXPECT_EQ(wire.observer.dropped(Reason::urgent), 2u);
}

TEST(ReceiverRules, WithoutAHandshakeNothingIsDelivered) {
    Wire wire(Mode::one_sided);
    wire.client(0, "abc");
    EXPECT_EQ(wire.streams(), 0u);
    EXPECT_EQ(wire.observer.dropped(Reason::no_handshake), 3u);
    EXPECT_EQ(wire.worker.flows, 0u);
}

TEST(ReceiverRules, AnOldHoleBecomesAGapInOneSidedMode) {
    Wire wire(Mode::one_sided);
    wire.syn();
    wire.client(0, "ab");
    wire.client(5, "fg");
    wire.wait(5 * kSecond);
    EXPECT_EQ(wire.script(), "ab");
    wire.wait(6 * kSecond);
    EXPECT_EQ(wire.script(), "ab[gap 3]fg");
}

}  // namespace
}  // namespace umbra::test
