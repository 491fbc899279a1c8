#include <set>

#include "edit/request_id.h"
#include "unit/edit/edit_harness.h"

namespace umbra::test {
namespace {

using rules::MirrorSettings;

const std::string kGet = "GET / HTTP/1.1\r\n";

MirrorSettings with_headers(const Pairs& set, const Pairs& add = {}, const std::vector<std::string>& remove = {}) {
    MirrorSettings settings;
    settings.headers = {set, add, remove};
    return settings;
}

TEST(Headers, NothingAskedIsWrittenAsItCame) {
    const Pairs cases{
        {"PoSt /a%20b?c=d#e HTTP/1.0\r\nHOST: A\r\nx-Odd:v\r\nEmpty:\r\nX-Odd: \t w \t\r\nContent-Length: 3\r\n\r\n",
         "PoSt /a%20b?c=d#e HTTP/1.0\r\nHOST: A\r\nx-Odd: v\r\nEmpty: \r\nX-Odd: w\r\nContent-Length: 3\r\n\r\n"},
        {"\r\n\r\nGET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"},
    };
    for (const auto& [head, expected] : cases) {
        EXPECT_EQ(edit_http1(head, {}), expected);
    }
    EXPECT_FALSE(edit::changes_heads({}));
}

TEST(Headers, SetReplacesAllInThePlaceOfTheFirst) {
    EXPECT_EQ(edit_http1(kGet + "A: 1\r\nX-B: 2\r\nC: 3\r\nx-b: 4\r\n\r\n", with_headers({{"x-b", "9"}})),
              kGet + "A: 1\r\nX-B: 9\r\nC: 3\r\n\r\n");
    EXPECT_EQ(edit_http1(kGet + "A: 1\r\n\r\n", with_headers({{"x-b", "9"}})), kGet + "A: 1\r\nx-b: 9\r\n\r\n");
}

TEST(Headers, AddAppendsAndRemoveRemovesAll) {
    EXPECT_EQ(
        edit_http1(kGet + "A: 1\r\nB: 2\r\na: 3\r\n\r\n", with_headers({}, {{"b", "4"}, {"b", "5"}}, {"a", "absent"})),
        kGet + "B: 2\r\nb: 4\r\nb: 5\r\n\r\n");
}

TEST(Headers, RedactThenRemoveThenSetThenAddThenMarker) {
    auto settings = with_headers({{"a", "set"}, {"m", "set"}}, {{"a", "added"}}, {"a"});
    settings.redaction.headers = {item("b", rules::RedactedItem::Action::drop)};
    settings.headers.set.emplace_back("b", "fresh");
    settings.marker_header = "m";
    settings.marker_value = "mirror";
    EXPECT_EQ(edit_http1(kGet + "A: 1\r\nB: secret\r\nM: client\r\n\r\n", settings),
              kGet + "M: mirror\r\na: set\r\nb: fresh\r\na: added\r\n\r\n");
}

TEST(Headers, FramingAndHostAreNeverTouched) {
    const std::string head =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close, upgrade\r\n"
        "Upgrade: x\r\nExpect: 100-continue\r\nTE: trailers\r\nTrailer: t\r\nKeep-Alive: 5\r\n"
        "Proxy-Connection: close\r\nHTTP2-Settings: x\r\n\r\n";
    const char* names[] = {
        "host",    "content-length", "transfer-encoding", "connection",     "upgrade", "expect",     "te",
        "trailer", "keep-alive",     "proxy-connection",  "http2-settings", ":path",   "Connection", ""};
    for (const std::string name : names) {
        auto settings = with_headers({{name, "1"}}, {{name, "1"}}, {name});
        settings.redaction.headers = {item(name, rules::RedactedItem::Action::hash)};
        settings.marker_header = settings.request_id_header = name;
        EXPECT_EQ(edit_http1(head, settings), head) << name;
        EXPECT_FALSE(edit::changes_heads(settings)) << name;
        const Pairs fields{{":method", "GET"}, {":path", "/"}, {"te", "trailers"}};
        EXPECT_EQ(edit_http2(fields, settings), fields) << name;
    }
}

TEST(Headers, WhatWouldBreakTheHeadIsNotWritten) {
    const std::string head = kGet + "A: 1\r\n\r\n";
    const Pairs bad{{"b", "1\r\nC: 2"}, {"b", std::string("1\0", 2)}, {"b", "1\n"}, {"b c", "1"}, {"b:", "1"},
                    {"b\r\n", "1"}};
    for (const auto& [name, value] : bad) {
        auto settings = with_headers({{name, value}}, {{name, value}});
        settings.marker_header = name;
        settings.marker_value = value;
        EXPECT_EQ(edit_http1(head, settings), head);
        EXPECT_FALSE(edit::changes_heads(settings));
    }
}

TEST(Headers, RequestIdIsTheClientsOrANewOne) {
    MirrorSettings settings;
    settings.request_id_header = "x-request-id";
    const std::string own = kGet + "X-Request-ID: mine\r\n\r\n";
    EXPECT_EQ(edit_http1(own, settings), own);
    const std::string made = edit::make_request_id(edit::process_id_prefix(), 7);
    EXPECT_EQ(edit_http1(kGet + "\r\n", settings), kGet + "x-request-id: " + made + "\r\n\r\n");
    EXPECT_EQ(edit_http1(kGet + "X-Request-Id:\r\n\r\n", settings), kGet + "X-Request-Id: " + made + "\r\n\r\n");
    EXPECT_EQ(edit_http2({{":path", "/"}}, settings), (Pairs{{":path", "/"}, {"x-request-id", made}}));
    settings.headers.remove = {"x-request-id"};
    EXPECT_EQ(edit_http1(own, settings), kGet + "x-request-id: " + made + "\r\n\r\n");
}

TEST(Headers, RequestIdsAreUuidsThatDiffer) {
    const edit::IdPrefix one{1, 2, 3, 4, 5, 6, 7, 8}, other{1, 2, 3, 4, 5, 6, 7, 9};
    EXPECT_EQ(edit::make_request_id(one, 0x2a5b000000000001), "04030201-0605-8807-aa5b-000000000001");
    std::set<std::string> ids;
    for (const auto& prefix : {one, other}) {
        for (std::uint64_t i = 0; i < 1000; ++i) ids.insert(edit::make_request_id(prefix, i << 52 | i));
    }
    EXPECT_EQ(ids.size(), 2000u);
    EXPECT_EQ(&edit::process_id_prefix(), &edit::process_id_prefix());
    EXPECT_NE(edit::process_id_prefix(), edit::IdPrefix{});
}

TEST(Headers, ForwardedForNamesTheClientBehindOthers) {
    MirrorSettings settings;
    settings.client_address = rules::ClientAddress::forwarded_for;
    const Pairs cases{
        {"", "x-forwarded-for: 10.0.0.1\r\n"},
        {"X-Forwarded-For: 1.2.3.4\r\n", "X-Forwarded-For: 1.2.3.4, 10.0.0.1\r\n"},
        {"X-Forwarded-For:\r\n", "X-Forwarded-For: 10.0.0.1\r\n"},
        {"X-Forwarded-For: a\r\nB: 1\r\nx-forwarded-for: b, c\r\n",
         "X-Forwarded-For: a\r\nB: 1\r\nx-forwarded-for: b, c, 10.0.0.1\r\n"},
    };
    for (const auto& [fields, expected] : cases) {
        EXPECT_EQ(edit_http1(kGet + fields + "\r\n", settings), kGet + expected + "\r\n") << fields;
    }
    const FlowTuple v6{*Endpoint::parse("[fd00::1]:4711"), *Endpoint::parse("[fd00::2]:80")};
    EXPECT_EQ(edit_http2({{":path", "/"}}, settings, {v6, 0}), (Pairs{{":path", "/"}, {"x-forwarded-for", "fd00::1"}}));
    settings.client_address = rules::ClientAddress::proxy_v2;
    EXPECT_FALSE(edit::changes_heads(settings));
    EXPECT_EQ(edit_http1(kGet + "\r\n", settings), kGet + "\r\n");
}

TEST(Headers, EachKindOfEditIsAChange) {
    std::vector<MirrorSettings> changes(9);
    changes[0].host = rules::HostPolicy::shadow;
    changes[1].host = rules::HostPolicy::literal;
    changes[1].host_literal = "b";
    changes[2].headers.set = {{"a", "1"}};
    changes[3].headers.add = {{"a", "1"}};
    changes[4].headers.remove = {"a"};
    changes[5].request_id_header = "x-request-id";
    changes[6].marker_header = "x-mirrored";
    changes[7].redaction.headers = {item("a", rules::RedactedItem::Action::drop)};
    changes[8].redaction.query = {item("a", rules::RedactedItem::Action::drop)};
    const std::string head = "GET /?a=1 HTTP/1.1\r\nHost: c\r\nA: 2\r\n\r\n";
    for (std::size_t i = 0; i < changes.size(); ++i) {
        EXPECT_TRUE(edit::changes_heads(changes[i])) << i;
        EXPECT_NE(edit_http1(head, changes[i]), head) << i;
    }
    MirrorSettings others;
    others.tls.on = others.safe_methods_only = true;
    others.sampling.header = "x";
    others.limits.connections = 5;
    others.host_literal = "b";
    others.marker_value = "1";
    EXPECT_FALSE(edit::changes_heads(others));
}

}  // namespace
}  // namespace umbra::test
