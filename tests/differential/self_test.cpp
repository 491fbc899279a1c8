// The differential's own parts: what it would not notice, it would not test.
#include <gtest/gtest.h>

#include <algorithm>

#include "differential/generator.h"
#include "differential/packet_writer.h"
#include "differential/runner.h"
#include "differential/shrink.h"
#include "flow/segment.h"

namespace umbra::differential {
namespace {

// A server that takes bytes in order, acknowledges each packet, and knows nothing else.
class SimpleOracle : public Oracle {
public:
    // Whether the application gets another byte than was sent at this place.
    explicit SimpleOracle(int wrong_at = kAbsent) : wrong_at_(wrong_at) {}

    Result<Trace> play(const Script& script) override {
        Trace trace;
        trace.tuple = {*Endpoint::parse("10.0.0.2:40000"), *Endpoint::parse("10.0.0.1:80")};
        std::string bytes;
        Heard heard;
        bool open = false;
        for (std::size_t i = 0; i < script.steps.size(); ++i) {
            const Step& step = script.steps[i];
            trace.packets.push_back({true, static_cast<int>(i), write_packet(script, step, trace.tuple, heard)});
            const int next = static_cast<int>(bytes.size());
            open |= step.flags == kSyn;
            const bool carries = open && step.flags != kSyn && step.at <= next;
            for (int at = next; carries && at < step.at + step.len; ++at)
                bytes += content_byte(step.conn, at, at == wrong_at_ ? 1 : step.content);
            Step answer;
            answer.flags = step.flags == kSyn ? kSyn | kAck : kAck;
            trace.packets.push_back(
                {false, -1, from_server(script, trace.tuple, answer, static_cast<int>(bytes.size()))});
            heard.server_next = kServerIsn + 1;
        }
        if (!bytes.empty()) trace.connections.push_back({bytes, End::open});
        return trace;
    }

private:
    static constexpr std::uint32_t kServerIsn = 5000;

    static std::string from_server(const Script& script, const FlowTuple& tuple, const Step& step, int acked) {
        Script server;
        server.isn = static_cast<int>(kServerIsn);
        const auto ack = script.first_byte(0) + static_cast<std::uint32_t>(acked);
        return write_packet(server, step, {tuple.server, tuple.client}, {ack, 0});
    }

    const int wrong_at_;
};

Step data(int at, int len) {
    Step step;
    step.at = at;
    step.len = len;
    return step;
}

Script stream_of(int packets) {
    Script script;
    script.steps.emplace_back().flags = kSyn;
    for (int i = 0; i < packets; ++i) script.steps.push_back(data(i * 10, 10));
    return script;
}

TEST(DifferentialItself, EqualResultsAreEqual) {
    SimpleOracle oracle;
    RunReport report;
    EXPECT_FALSE(check_script(oracle, stream_of(6), 0, report));
    EXPECT_EQ(report.scripts, 1u);
    EXPECT_EQ(report.bytes, 60u);
    EXPECT_TRUE(report.explained.empty());
}

TEST(DifferentialItself, OneWrongByteIsFoundAndTheScriptMadeSmaller) {
    SimpleOracle oracle(25);
    RunReport report;
    const auto failure = check_script(oracle, stream_of(6), 3, report);
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->index, 3u);
    EXPECT_NE(failure->difference.find("strict, in step"), std::string::npos);
    // SYN, and as much data as reaches the wrong byte.
    EXPECT_LE(failure->script.steps.size(), 4u);
    EXPECT_EQ(failure->script.steps[0].flags, kSyn);
}

TEST(DifferentialItself, AMissingConnectionIsADifference) {
    SimpleOracle oracle;
    const Script script = stream_of(2);
    Trace trace = *oracle.play(script);
    EXPECT_TRUE(judge(script, trace, 0).same());
    trace.connections.clear();
    EXPECT_FALSE(judge(script, trace, 0).same());
    trace.connections = {{std::string(20, 'x'), End::open}};
    EXPECT_FALSE(judge(script, trace, 0).same());
}

TEST(DifferentialItself, AnotherEndIsADifference) {
    SimpleOracle oracle;
    const Script script = stream_of(2);
    Trace trace = *oracle.play(script);
    for (const End end : {End::eof, End::reset}) {
        trace.connections[0].end = end;
        const Verdict verdict = judge(script, trace, 0);
        EXPECT_FALSE(verdict.same()) << end_name(end) << ", explained as "
                                     << (verdict.explained.empty() ? "nothing" : verdict.explained.begin()->first);
    }
}

TEST(DifferentialItself, ShrinkingKeepsWhatMatters) {
    Script script = random_script(7);
    script.steps.push_back(data(40, 9));
    script.steps.back().urgent = 7;
    const auto fails = [](const Script& tried) {
        return std::any_of(tried.steps.begin(), tried.steps.end(), [](const Step& step) { return step.urgent == 7; });
    };
    const Script small = shrink(script, fails);
    ASSERT_EQ(small.steps.size(), 1u);
    Step expected;
    expected.urgent = 7;
    EXPECT_EQ(small.steps[0], expected);
    EXPECT_EQ(small.isn, Script{}.isn);
}

TEST(DifferentialItself, AScriptSurvivesItsText) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        const Script script = random_script(seed);
        const auto read = parse_script(to_text(script));
        ASSERT_TRUE(read);
        EXPECT_EQ(*read, script);
        EXPECT_EQ(random_script(seed), script);
    }
    for (const char* const bad : {"", "step\n", "script x=1\n", "script isn=1x\n", "script\nscript\n", "script\nfoo\n"})
        EXPECT_FALSE(parse_script(bad)) << bad;
}

}  // namespace
}  // namespace umbra::differential
