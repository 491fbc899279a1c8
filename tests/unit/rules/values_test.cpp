// The small value types: durations, host names, prefix sets, suggestions, UTF-8, line differences, diagnostics.
#include <gtest/gtest.h>

#include "rules/diagnostic.h"
#include "rules/duration.h"
#include "rules/host_name.h"
#include "rules/prefix_set.h"
#include "rules/quantity.h"
#include "rules/suggest.h"
#include "rules/text_diff.h"
#include "rules/utf8.h"

namespace umbra::rules {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST(Duration, ReadsGoDurations) {
    const std::pair<const char*, std::chrono::nanoseconds> rows[] = {{"1h", 1h},
                                                                     {"1m", 1min},
                                                                     {"1s", 1s},
                                                                     {"1ms", 1ms},
                                                                     {"1us", 1us},
                                                                     {"1ns", 1ns},
                                                                     {"1h15m30.5s", 1h + 15min + 30500ms},
                                                                     {".5s", 500ms},
                                                                     {"1.s", 1s},
                                                                     {"0", 0s},
                                                                     {"0s", 0s},
                                                                     {"-1s", -1s},
                                                                     {"+2s", 2s},
                                                                     {"1\xc2\xb5s", 1us},
                                                                     {"2562047h", 2562047h},
                                                                     {"0.3333333333333333333h", 1199999999999ns}};
    for (const auto& [text, value] : rows) EXPECT_EQ(parse_duration(text), value) << text;
}

TEST(Duration, RefusesOtherText) {
    for (const auto* text :
         {"", "1", "1d", "s", ".s", "1 s", "s1", "-", "1s2", "1S", "9223372037s", "1e3s", "99999999999999999999h"}) {
        EXPECT_EQ(parse_duration(text), std::nullopt) << text;
    }
}

TEST(HostName, ChecksSyntax) {
    for (const auto* good : {"a", "a-b", "0", "a1.b2"}) EXPECT_TRUE(is_domain_name(good)) << good;
    for (const auto* bad : {"", "-a", "a-", "A", "a_b", ".a", "a.", "a..b", "a b"})
        EXPECT_FALSE(is_domain_name(bad)) << bad;
    EXPECT_TRUE(is_dns_label(std::string(63, 'a')));
    EXPECT_FALSE(is_dns_label(std::string(64, 'a')));
    EXPECT_FALSE(is_domain_name(std::string(60, 'a') + "." + std::string(60, 'a') + "." + std::string(60, 'a') + "." +
                                std::string(60, 'a') + "." + std::string(60, 'a')));
}

TEST(HostName, MatchesWildcards) {
    EXPECT_TRUE(host_matches("*", "anything"));
    EXPECT_TRUE(host_matches("*.foo.com", "a.foo.com"));
    EXPECT_TRUE(host_matches("*.foo.com", "a.b.foo.com"));
    EXPECT_FALSE(host_matches("*.foo.com", ".foo.com"));
    EXPECT_FALSE(host_matches("*.foo.com", "foo.com"));
    EXPECT_TRUE(host_matches("*-bar.foo.com", "a-bar.foo.com"));
    EXPECT_FALSE(host_matches("*-bar.foo.com", "-bar.foo.com"));
    EXPECT_FALSE(host_matches("a.foo.com", "b.foo.com"));
}

std::vector<IpPrefix> set_of(std::initializer_list<const char*> texts) {
    std::vector<IpPrefix> prefixes;
    for (const auto* text : texts) prefixes.push_back(*IpPrefix::parse(text));
    return normalized(prefixes);
}

TEST(PrefixSet, HasOneFormForEachSet) {
    EXPECT_EQ(set_of({"10.1.2.3/8", "10.9.0.0/16", "10.0.0.0/8"}), set_of({"10.0.0.0/8"}));
    EXPECT_EQ(set_of({"fd00::1", "10.0.0.1"}), set_of({"10.0.0.1/32", "fd00::1/128"}));
    EXPECT_EQ(set_of({"0.0.0.0/0", "1.2.3.4"}), set_of({"9.9.9.9/0"}));
    EXPECT_EQ(set_of({"0.0.0.0/0", "fd00::1"}).size(), 2u);
}

TEST(PrefixSet, Intersects) {
    EXPECT_EQ(intersection(set_of({"10.0.0.0/8", "fd00::/8"}), set_of({"10.1.0.0/16", "11.0.0.0/8", "fd00::5"})),
              set_of({"10.1.0.0/16", "fd00::5"}));
    EXPECT_TRUE(intersection(set_of({"10.0.0.0/8"}), set_of({"11.0.0.0/8"})).empty());
    EXPECT_TRUE(contains_all(set_of({"10.0.0.0/8"}), set_of({"10.1.1.1", "10.2.0.0/16"})));
    EXPECT_FALSE(contains_all(set_of({"10.0.0.0/16"}), set_of({"10.0.0.0/8"})));
}

TEST(Suggest, NamesCloseNamesOnly) {
    constexpr std::string_view kKnown[] = {"destination", "precedence", "mirror", "uri"};
    EXPECT_EQ(closest_name("precedance", kKnown), "precedence");
    EXPECT_EQ(closest_name("Mirror", kKnown), "mirror");
    EXPECT_EQ(closest_name("mirorr", kKnown), "mirror");
    EXPECT_EQ(closest_name("url", kKnown), "uri");
    EXPECT_EQ(closest_name("timeout", kKnown), "");
    EXPECT_EQ(closest_name(std::string(1000, 'a'), kKnown), "");
}

TEST(Utf8, FindsTheFirstBadByte) {
    EXPECT_EQ(find_invalid_utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), std::nullopt);
    EXPECT_EQ(find_invalid_utf8("ab\x80"), 2u);
    EXPECT_EQ(find_invalid_utf8("\xc3"), 0u);
    EXPECT_EQ(find_invalid_utf8("\xc0\x80"), 0u);
    EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0u);
    EXPECT_EQ(find_invalid_utf8("\xf4\x90\x80\x80"), 0u);
}

TEST(TextDiff, ShowsLinesWithContext) {
    EXPECT_EQ(diff_lines("a\nb\n", "a\nb\n"), "");
    EXPECT_EQ(diff_lines("", "a\nb\n"), "+a\n+b\n");
    EXPECT_EQ(diff_lines("a\nb\n", ""), "-a\n-b\n");
    EXPECT_EQ(diff_lines("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n"),
              "...\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n...\n");
    EXPECT_EQ(diff_lines("a\nb\nc\n", "b\nc\nd\n"), "-a\n b\n c\n+d\n");
}

// Limits: diff_cells.
TEST(TextDiff, IsBounded) {
    std::string before, after;
    for (int i = 0; i < 5000; ++i) {
        before += "a" + std::to_string(i) + "\n";
        after += "b" + std::to_string(i) + "\n";
    }
    EXPECT_EQ(diff_lines(before, after).size(), before.size() + after.size() + 10000);
}

TEST(Diagnostic, PrintsLikeACompiler) {
    EXPECT_EQ(print_diagnostic({Severity::error, "f.yaml", 3, 5, "spec.x", "unknown field", "did you mean 'y'?"}),
              "f.yaml:3:5: error: spec.x: unknown field\n  hint: did you mean 'y'?\n");
    EXPECT_EQ(print_diagnostic({Severity::warning, "f.yaml", 0, 0, "", "odd", ""}), "f.yaml: warning: odd\n");
    EXPECT_EQ(print_diagnostic({Severity::error, "", 0, 0, "", "odd", ""}), "error: odd\n");
    EXPECT_EQ(print_diagnostics({{Severity::note, "f", 1, 1, "", "m", ""}}), "");
    EXPECT_EQ(print_diagnostics({{Severity::note, "f", 1, 1, "", "m", ""}}, true), "f:1:1: note: m\n");
}

// Limits: findings.
TEST(Diagnostics, AreSortedUniqueAndBounded) {
    Diagnostics diagnostics;
    diagnostics.add(Severity::warning, {"b", {1, 1}}, "", "x");
    diagnostics.add(Severity::error, {"a", {9, 1}}, "", "y");
    diagnostics.add(Severity::error, {"a", {9, 1}}, "", "y");
    diagnostics.add(Severity::error, {"a", {10, 1}}, "", "z");
    EXPECT_TRUE(diagnostics.has_errors());
    const auto found = diagnostics.take();
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[0].message + found[1].message + found[2].message, "yzx");
    for (std::uint32_t i = 0; i < 10000; ++i) diagnostics.add(Severity::warning, {"c", {i, 1}}, "", "w");
    EXPECT_TRUE(diagnostics.has_errors());
    EXPECT_EQ(diagnostics.take().size(), 2001u);
}

TEST(Quantity, WholeNumbersWithAUnit) {
    const std::pair<std::string_view, std::uint64_t> rows[] = {{"0", 0},
                                                               {"4096", 4096},
                                                               {"3k", 3000},
                                                               {"16Ki", 16384},
                                                               {"10M", 10'000'000},
                                                               {"16Mi", 16u << 20},
                                                               {"2G", 2'000'000'000},
                                                               {"1Gi", 1u << 30},
                                                               {"1T", 1'000'000'000'000},
                                                               {"1Ti", std::uint64_t{1} << 40},
                                                               {"9223372036854775807", INT64_MAX}};
    for (const auto& [text, value] : rows) EXPECT_EQ(parse_quantity(text), value) << text;
    for (const std::string_view text : {"", "Mi", "1.5Gi", "-1", "+1", "1 Mi", "1mi", "1K", "1MiB", "0x10", "8388608Ti",
                                        "9223372036854775808", "99999999999999999999"})
        EXPECT_FALSE(parse_quantity(text)) << text;
}

}  // namespace
}  // namespace umbra::rules
