#include "edit/redaction.h"

#include <algorithm>

#include "unit/edit/edit_harness.h"

namespace umbra::test {
namespace {

using Action = rules::RedactedItem::Action;

rules::MirrorSettings hides_headers(std::vector<rules::RedactedItem> items) {
    rules::MirrorSettings settings;
    settings.redaction.headers = std::move(items);
    return settings;
}

// Known answers of SHA-256.
constexpr const char* kDigestOfAbc = "sha256:ba7816bf8f01cfea";
constexpr const char* kDigestOfNothing = "sha256:e3b0c44298fc1c14";

TEST(Redaction, DigestIsTheBeginningOfSha256) {
    EXPECT_EQ(edit::secret_digest("abc"), kDigestOfAbc);
    EXPECT_EQ(edit::secret_digest(""), kDigestOfNothing);
}

TEST(Redaction, FieldsAreDroppedHashedReplaced) {
    const auto settings = hides_headers(
        {item("authorization", Action::drop), item("x-key", Action::hash), item("cookie", Action::replace, "none")});
    EXPECT_EQ(edit_http1("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer s\r\nX-KEY: abc\r\nCookie: a=1; b=2\r\n"
                         "x-key: \r\nAUTHORIZATION: again\r\nX-Keys: abc\r\n\r\n",
                         settings),
              std::string("GET / HTTP/1.1\r\nHost: a\r\nX-KEY: ") + kDigestOfAbc +
                  "\r\nCookie: none\r\nx-key: " + kDigestOfNothing + "\r\nX-Keys: abc\r\n\r\n");
}

TEST(Redaction, FirstItemOfANameDecides) {
    EXPECT_EQ(edit_http1("GET / HTTP/1.1\r\nK: abc\r\n\r\n",
                         hides_headers({item("k", Action::hash), item("k", Action::drop)})),
              std::string("GET / HTTP/1.1\r\nK: ") + kDigestOfAbc + "\r\n\r\n");
}

TEST(Redaction, UnwritableReplacementDropsTheSecret) {
    EXPECT_EQ(
        edit_http1("GET / HTTP/1.1\r\nK: abc\r\nX: 1\r\n\r\n", hides_headers({item("k", Action::replace, "a\r\nb")})),
        "GET / HTTP/1.1\r\nX: 1\r\n\r\n");
}

TEST(Redaction, EveryCrumbOfACookieAndNeverIndexed) {
    const std::vector<HeaderField> fields{
        {":path", "/?t=1"}, {"cookie", "abc"}, {"x", "1", true}, {"cookie", "abc"}, {"y", "2"}};
    auto settings = hides_headers({item("cookie", Action::hash)});
    settings.redaction.query = {item("t", Action::drop)};
    const auto out = edit::edit_fields(fields, settings, {v4_flow(), 1});
    ASSERT_EQ(out.size(), 5u);
    EXPECT_EQ(out[0].value, "/");
    EXPECT_TRUE(out[0].never_index) << "a redacted path";
    EXPECT_EQ(out[1].value, kDigestOfAbc);
    EXPECT_EQ(out[3].value, kDigestOfAbc);
    EXPECT_TRUE(out[1].never_index && out[3].never_index) << "redacted";
    EXPECT_TRUE(out[2].never_index) << "the client's own wish";
    EXPECT_FALSE(out[4].never_index);
}

TEST(Redaction, WhatReplacesASecretIsOne) {
    auto settings = hides_headers({item("authorization", Action::drop)});
    settings.headers.set = {{"authorization", "Bearer of-the-mirror"}, {"x", "1"}};
    const std::vector<HeaderField> fields{{"authorization", "Bearer s"}};
    const auto out = edit::edit_fields(fields, settings, {v4_flow(), 1});
    ASSERT_EQ(out.size(), 2u);
    EXPECT_EQ(out[0].value, "Bearer of-the-mirror");
    EXPECT_TRUE(out[0].never_index);
    EXPECT_FALSE(out[1].never_index);
}

TEST(Redaction, TrailersAreRedactedAndRemovedOnly) {
    auto settings = hides_headers({item("x-secret", Action::drop), item("x-key", Action::hash)});
    settings.headers.remove = {"x-gone", "te"};
    settings.headers.add = {{"x-new", "1"}};
    settings.headers.set = {{"grpc-status", "9"}};
    settings.marker_header = "x-mirrored";
    settings.request_id_header = "x-request-id";
    settings.client_address = rules::ClientAddress::forwarded_for;
    const std::vector<HeaderField> fields{{"grpc-status", "0"}, {"x-secret", "s"}, {"x-key", "abc"}, {"x-gone", "1"}};
    const auto out = edit::edit_trailers(fields, settings);
    ASSERT_EQ(out.size(), 2u);
    EXPECT_EQ(out[0].name + out[0].value, "grpc-status0");
    EXPECT_EQ(out[1].name + out[1].value, std::string("x-key") + kDigestOfAbc);
    EXPECT_TRUE(out[1].never_index);
}

TEST(Redaction, ParametersOfTheQuery) {
    const std::vector<rules::RedactedItem> items{item("token", Action::drop), item("key", Action::hash),
                                                 item("pin", Action::replace, "a b&c=d"), item("api key", Action::drop),
                                                 item("a+b", Action::drop)};
    const std::string hashed = kDigestOfAbc;
    const Pairs changed{
        {"/?token=s", "/"},
        {"/?token", "/"},
        {"/?token=s&", "/"},
        {"/?token=1&token=2", "/"},
        {"/?a=1&token=s", "/?a=1"},
        {"/?token=s&a=1", "/?a=1"},
        {"/?a=1&token=s&b=%41+c", "/?a=1&b=%41+c"},
        {"/?b=2&&token=s&a=1&", "/?b=2&&a=1&"},
        {"/?t%6Fken=s&a", "/?a"},
        {"/?%74%6f%6b%65%6E=s&a", "/?a"},
        {"/?key=abc&x=/?y", "/?key=" + hashed + "&x=/?y"},
        {"/?k%65y=a%62c", "/?k%65y=" + hashed},
        {"/?key=", std::string("/?key=") + kDigestOfNothing},
        {"/?key=a=b", "/?key=" + edit::secret_digest("a=b")},
        {"/?pin=1234", "/?pin=a%20b%26c%3dd"},
        {"/?api+key=1&x", "/?x"},
        {"/?api%20key=1&x", "/?x"},
        {"/?a%2Bb=1&x", "/?x"},
        {"/?a+b=1&x", "/?x"},
        {"http://h/p?token=s&a=1", "http://h/p?a=1"},
        {"http://h?token=s", "http://h"},
        {"/?a?token=1&token=2", "/?a?token=1"},
    };
    for (const auto& [target, expected] : changed) EXPECT_EQ(edit::redact_query(target, items), expected) << target;
    const char* same[] = {"/", "/?",       "/?tokens=1",  "/?TOKEN=1", "/?a=token", "/?%zztoken=1",
                          "*", "/token=1", "/?token%3=1", "/?a=1&&b",  "/?&",       "/?=token"};
    for (const char* target : same) EXPECT_EQ(edit::redact_query(target, items), std::nullopt) << target;
    EXPECT_EQ(edit::redact_query("/?key&pin&a=%", items), "/?key&pin&a=%") << "nothing to hide without a value";
}

TEST(Redaction, NamesAndReplacementsMayBeWrittenEncoded) {
    const std::vector<rules::RedactedItem> items{item("api%20key", Action::drop), item("pin", Action::replace, "%2A")};
    EXPECT_EQ(edit::redact_query("/?api%20key=1&x", items), "/?x");
    EXPECT_EQ(edit::redact_query("/?api+key=1&x", items), "/?x");
    EXPECT_EQ(edit::redact_query("/?pin=1", items), "/?pin=%2a");
}

TEST(Redaction, RandomQueriesKeepEveryOtherByte) {
    const std::vector<rules::RedactedItem> items{item("secret", Action::drop)};
    std::uint32_t state = 1;
    const auto random = [&](std::uint32_t below) { return (state = state * 1664525 + 1013904223) / 65536 % below; };
    const char* pieces[] = {"a=1", "secret=%3d", "", "b", "s%65cret", "c=%zz", "secrets=1", "=", "d=+&e"};
    for (int round = 0; round < 2000; ++round) {
        std::string query, kept;
        for (std::uint32_t i = 0, count = 1 + random(6); i < count; ++i) {
            const std::string piece = pieces[random(std::size(pieces))];
            query += "&" + piece;
            if (piece.substr(0, 7) != "secret=" && piece != "s%65cret") kept += "&" + piece;
        }
        query.front() = '?';
        const auto out = edit::redact_query("/p" + query, items);
        if (kept.size() == query.size()) {
            EXPECT_EQ(out, std::nullopt) << query;
            continue;
        }
        const bool empty = kept.find_first_not_of('&') == kept.npos;
        EXPECT_EQ(out, empty ? "/p" : "/p?" + kept.substr(1)) << query;
    }
}

}  // namespace
}  // namespace umbra::test
