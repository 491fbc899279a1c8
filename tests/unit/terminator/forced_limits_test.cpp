// Every limit of the terminator that a switch forces, through all its stages: its action, its counter and no other
// loss; forced now and then, the requests between arrive exactly.
#include <algorithm>
#include <functional>
#include <set>

#include "unit/terminator/forced_world.h"
#include "unit/terminator/http2_calls.h"

namespace umbra::test {
namespace {

using Sent = std::set<std::string>;  // requests, as the mirror must get them

std::string request(int flow, int number, const std::string& fields = "", const std::string& body = "hello") {
    const std::string length = fields.empty() ? "Content-Length: " + std::to_string(body.size()) + "\r\n" : fields;
    return "POST /" + std::to_string(flow) + "/" + std::to_string(number) + " HTTP/1.1\r\nHost: a\r\n" + length +
           "\r\n" + body;
}

using Maker = std::function<std::string(int flow, int number)>;

Sent exchanges(ForcedWorld& world, const Maker& make, bool in_pieces = false) {
    Sent sent;
    for (int flow = 0; flow < 4; ++flow) {
        Client client(world, static_cast<std::uint16_t>(1000 + flow));
        client.open();
        for (int number = 0; number < 6; ++number) {
            const std::string text = make(flow, number);
            sent.insert(text);
            if (in_pieces) {
                client.say(text.substr(0, 10));
                client.answered("");
            }
            client.exchange(in_pieces ? text.substr(10) : text);
        }
        client.close();
    }
    return sent;
}

Sent plain(ForcedWorld& world) {
    return exchanges(world, [](int flow, int number) { return request(flow, number); });
}

Sent in_pieces(ForcedWorld& world) {
    return exchanges(
        world, [](int flow, int number) { return request(flow, number); }, true);
}

Sent chunked(ForcedWorld& world) {
    return exchanges(world, [](int flow, int number) {
        return request(flow, number, "Transfer-Encoding: chunked\r\n", "5;a=b\r\nhello\r\n0\r\nVary: *\r\n\r\n");
    });
}

// Each second segment comes before the one that it follows.
Sent out_of_order(ForcedWorld& world) {
    Sent sent;
    for (int flow = 0; flow < 12; ++flow) {
        Client client(world, static_cast<std::uint16_t>(1000 + flow));
        const std::string text = request(flow, 0);
        sent.insert(text);
        client.open();
        client.say_ahead(10, std::string_view(text).substr(10));
        client.say(std::string_view(text).substr(0, 10));
        client.lose(std::string_view(text).substr(10));
        client.answered();
        client.close();
    }
    return sent;
}

// A request is lost, the next one is answered: the one after it is at a proven boundary.
Sent after_losses(ForcedWorld& world) {
    Sent sent;
    for (int flow = 0; flow < 12; ++flow) {
        Client client(world, static_cast<std::uint16_t>(1000 + flow));
        client.open();
        for (int number = 0; number < 3; ++number) {
            const std::string text = request(flow, number);
            if (number == 1) {
                client.lose(text);
            } else {
                client.say(text);
                sent.insert(text);
            }
            client.answered();
        }
        client.close();
    }
    return sent;
}

Sent late(ForcedWorld& world) {
    for (int flow = 0; flow < 6; ++flow) {
        Client client(world, static_cast<std::uint16_t>(1000 + flow));
        client.open();
        client.exchange(request(flow, 0));
        client.close();
        client.repeat("\n");
    }
    world.wait(2 * kSecond);
    return {};
}

Sent unseen_servers(ForcedWorld& world) {
    for (int flow = 0; flow < 6; ++flow) {
        Client client(world, static_cast<std::uint16_t>(1000 + flow));
        client.say(request(flow, 0));
        client.say(request(flow, 1));
    }
    return {};
}

// Six connections with a call that stays open and one that does not.
Sent calls(ForcedWorld& world) {
    Sent sent;
    for (int flow = 0; flow < 6; ++flow) {
        const std::string path = "/" + std::to_string(flow) + "/";
        for (int call = 0; call < 4; ++call) sent.insert(path + std::to_string(call));
        Client client(world, static_cast<std::uint16_t>(1000 + flow));
        client.open();
        client.say(http2_calls(path));
        client.answered(std::string(9, '\0'));
        client.close();
    }
    return sent;
}

enum class Protocol { http1, http2 };

struct Forced {
    const char* name;
    Sent (*load)(ForcedWorld&);
    Protocol protocol = Protocol::http1;
    std::vector<std::string> follows = {};  // reasons of what the action leaves of the flow
    bool nothing_left = false;              // the load is about losses alone
    std::uint32_t now_and_then = 5;         // of the checks that the load makes
};

void PrintTo(const Forced& forced, std::ostream* out) { *out << forced.name; }

const Forced kForced[] = {
    {.name = "flows", .load = plain, .now_and_then = 3},
    {.name = "handshakes", .load = plain, .now_and_then = 3},
    {.name = "orphans", .load = unseen_servers, .nothing_left = true},
    {.name = "orphan_bytes", .load = unseen_servers, .nothing_left = true},
    {.name = "closed_flows", .load = late, .nothing_left = true},
    {.name = "reassembly_memory", .load = plain},
    {.name = "flow_segments", .load = out_of_order},
    {.name = "flow_ooo", .load = out_of_order},
    {.name = "flow_unacked", .load = plain},
    {.name = "flow_marks", .load = after_losses},
    {.name = "flow_hole", .load = plain, .follows = {"gap"}},
    {.name = "request_head", .load = plain},
    {.name = "chunk_extension", .load = chunked},
    {.name = "chunk_trailer", .load = chunked, .now_and_then = 60},
    {.name = "protocol_memory", .load = in_pieces},
    {.name = "http2_streams", .load = calls, .protocol = Protocol::http2},
    {.name = "header_list", .load = calls, .protocol = Protocol::http2, .follows = {"h2_control", "client_closed"}},
    {.name = "header_block", .load = calls, .protocol = Protocol::http2},
    {.name = "hold", .load = plain},
    {.name = "flow_queue", .load = plain, .now_and_then = 3},
    {.name = "flow_requests", .load = plain},
    {.name = "flow_streams", .load = calls, .protocol = Protocol::http2},
    {.name = "queue_memory", .load = plain, .now_and_then = 3},
    {.name = "connections", .load = plain, .now_and_then = 3},
    {.name = "mirror_bandwidth", .load = plain},
    {.name = "breaker_failures", .load = plain, .now_and_then = 3},
};

const ExceptionRow& row_of(const std::vector<ExceptionRow>& rows, const std::string& name) {
    return *std::ranges::find(rows, name, &ExceptionRow::name);
}

std::uint64_t sum(const umbra_units& units) { return units.flows + units.requests + units.bytes; }

std::set<std::string> reasons(const ForcedWorld& world) {
    std::set<std::string> found;
    for (unsigned r = 0; r < UMBRA_REASON_COUNT; ++r) {
        const auto reason = static_cast<Reason>(r);
        if (sum(dropped_units(world.ledger, reason)) > 0) found.insert(reason_name(reason));
    }
    return found;
}

Sent arrived(ForcedWorld& world, Protocol protocol) {
    Sent got;
    if (protocol == Protocol::http1) {
        for (const auto& text : world.server.requests()) EXPECT_TRUE(got.insert(text).second) << "twice: " << text;
        return got;
    }
    for (const auto& session : world.http2_server.sessions) {
        for (const auto& [id, call] : session->requests) {
            if (!call.whole) continue;
            EXPECT_TRUE(got.insert(call.path()).second) << "twice: " << call.path();
            EXPECT_EQ(call.body, call.path().ends_with("/0") ? "hello" : "");
        }
    }
    return got;
}

struct Outcome {
    std::set<std::string> reasons;
    std::uint64_t counted = 0, mirrored = 0;
    std::uint64_t lost_flows = 0;
    int muted = 0;
    std::size_t sent = 0, arrived = 0;
};

Outcome run(const Forced& forced, const std::string& counter, std::uint32_t every) {
    auto limits = default_limits(1);
    if (every > 0) {
        const auto set = force_limit(limits, std::string(forced.name) + "=" + std::to_string(every));
        EXPECT_TRUE(set) << forced.name;
    }
    ForcedWorld world(limits, forced.protocol == Protocol::http2);
    const Sent sent = forced.load(world);
    Outcome out{.reasons = reasons(world)};
    if (counter != "-") {
        const umbra_units& units = world.dropped(counter);
        out.counted = sum(units);
        out.lost_flows = units.flows;
    }
    out.muted = world.muted;
    world.end();
    const Sent got = arrived(world, forced.protocol);
    EXPECT_TRUE(forced.nothing_left || std::ranges::includes(sent, got)) << "something arrived that was not sent";
    out.mirrored = world.ledger.mirrored.requests;
    out.sent = sent.size();
    out.arrived = got.size();
    return out;
}

class ForcedLimit : public testing::TestWithParam<Forced> {
protected:
    ExceptionRow row_ = row_of(list_limits(default_limits(1)), GetParam().name);
    // What the load loses without the switch.
    std::set<std::string> base_ = run(GetParam(), row_.counter, 0).reasons;
};

void check_action(const ExceptionRow& row, const Outcome& forced, const Outcome& unforced) {
    switch (row.action) {
        case Action::abandon_flow:
            EXPECT_GT(forced.muted, 0) << "the flow is cloned on";
            break;
        case Action::refuse_flow:
            EXPECT_GT(forced.lost_flows, 0u);
            EXPECT_EQ(forced.arrived, 0u);
            break;
        case Action::shed_request:
        case Action::open_breaker:
            EXPECT_EQ(forced.lost_flows, 0u);
            EXPECT_EQ(forced.muted, 0);
            break;
        case Action::begin_early:
            EXPECT_EQ(forced.arrived, unforced.arrived);
            break;
        default:
            EXPECT_EQ(forced.muted, 0);
            break;
    }
}

TEST_P(ForcedLimit, ActsAndIsCountedAndNothingElseIsLost) {
    const Forced& forced = GetParam();
    const Outcome unforced = run(forced, row_.counter, 0), always = run(forced, row_.counter, 1);
    EXPECT_EQ(forced.nothing_left ? unforced.sent : unforced.arrived, unforced.sent) << "without the switch";
    EXPECT_TRUE(row_.counter == "-" || always.counted > unforced.counted) << always.counted;
    std::set<std::string> allowed = base_;
    allowed.insert(row_.counter);
    allowed.insert(forced.follows.begin(), forced.follows.end());
    EXPECT_TRUE(std::ranges::includes(allowed, always.reasons)) << testing::PrintToString(always.reasons);
    check_action(row_, always, unforced);
    EXPECT_EQ(always.mirrored, forced.nothing_left ? always.mirrored : always.arrived);
}

TEST_P(ForcedLimit, NowAndThenItSparesTheRest) {
    const Forced& forced = GetParam();
    const Outcome some = run(forced, row_.counter, forced.now_and_then), unforced = run(forced, row_.counter, 0);
    EXPECT_TRUE(row_.counter == "-" || some.counted > unforced.counted) << some.counted;
    if (forced.nothing_left) return;
    EXPECT_GT(some.arrived, 0u) << "some are spared";
    EXPECT_EQ(some.mirrored, some.arrived);
}

INSTANTIATE_TEST_SUITE_P(Limits, ForcedLimit, testing::ValuesIn(kForced),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(ForcedLimits, EveryRowWithASwitchIsForcedHere) {
    std::set<std::string> forced, rows;
    for (const Forced& entry : kForced) forced.insert(entry.name);
    for (const auto& row : list_limits(default_limits(1)))
        if (row.force.starts_with("--force ")) rows.insert(row.name);
    EXPECT_EQ(forced, rows);
}

TEST(ForcedLimits, ABoundCountsItsOwnChecks) {
    Bound bound = 10;
    EXPECT_FALSE(bound.exceeded_by(10));
    EXPECT_TRUE(bound.exceeded_by(11));
    bound.force(3);
    const Bound copy = bound;
    for (int check = 1; check <= 9; ++check) {
        EXPECT_EQ(bound.forced(), check % 3 == 0);
        EXPECT_EQ(copy.exceeded_by(0), check % 3 == 0);
    }
    bound = 5;
    EXPECT_EQ(bound.forced_every(), 3u);
    bound.force(0);
    EXPECT_FALSE(bound.exceeded_by(5));
}

}  // namespace
}  // namespace umbra::test
