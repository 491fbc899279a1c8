#include "edit/host.h"

#include "unit/edit/edit_harness.h"

namespace umbra::test {
namespace {

using rules::HostPolicy;

rules::MirrorSettings with_host(HostPolicy policy, const std::string& literal = "") {
    rules::MirrorSettings settings;
    settings.host = policy;
    settings.host_literal = literal;
    return settings;
}

TEST(Host, ShadowGoesBeforeThePortOnceAndNeverToAddresses) {
    const Pairs cases{
        {"httpbin", "httpbin-shadow"},
        {"httpbin:8080", "httpbin-shadow:8080"},
        {"HttpBin:8080", "HttpBin-shadow:8080"},
        {"httpbin:", "httpbin-shadow:"},
        {"httpbin.default.svc.cluster.local:80", "httpbin.default.svc.cluster.local-shadow:80"},
        {"httpbin.example.:80", "httpbin.example-shadow.:80"},
        {"user:secret@httpbin:80", "user:secret@httpbin-shadow:80"},
        {"user@10.0.0.1", "user@10.0.0.1"},
        {"httpbin-shadow", "httpbin-shadow"},
        {"httpbin-shadow:8080", "httpbin-shadow:8080"},
        {"HTTPBIN-SHADOW:8080", "HTTPBIN-SHADOW:8080"},
        {"httpbin-shadow.:1", "httpbin-shadow.:1"},
        {"10.0.0.1", "10.0.0.1"},
        {"10.0.0.1:80", "10.0.0.1:80"},
        {"[fd00::1]", "[fd00::1]"},
        {"[fd00::1]:80", "[fd00::1]:80"},
        {"[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.1]:80"},
        {"[v1.x]:80", "[v1.x]:80"},
        {"fd00::1", "fd00::1"},
        {"10.0.0.1.example", "10.0.0.1.example-shadow"},
        {"1", "1-shadow"},
        {":80", ":80"},
        {"", ""},
    };
    for (const auto& [authority, expected] : cases) {
        EXPECT_EQ(edit::shadow_authority(authority), expected) << authority;
        EXPECT_EQ(edit::shadow_authority(expected), expected) << "a second suffix on " << expected;
    }
}

TEST(Host, KeepLeavesTheHeadAlone) {
    const std::string head = "GET http://a:1/x?y HTTP/1.1\r\nhOsT: a:1\r\n\r\n";
    EXPECT_EQ(edit_http1(head, with_host(HostPolicy::keep)), head);
}

TEST(Host, EveryAuthorityOfAnHttp1HeadFollowsThePolicy) {
    const struct {
        const char *name, *head, *shadow, *literal;
    } cases[] = {
        {"origin form", "GET /a?b HTTP/1.1\r\nX: 1\r\nhost: a:1\r\nY: 2\r\n\r\n",
         "GET /a?b HTTP/1.1\r\nX: 1\r\nhost: a-shadow:1\r\nY: 2\r\n\r\n",
         "GET /a?b HTTP/1.1\r\nX: 1\r\nhost: v2.test:9\r\nY: 2\r\n\r\n"},
        {"absolute form", "GET http://a:1/b?c=http://d/ HTTP/1.1\r\nHost: a:1\r\n\r\n",
         "GET http://a-shadow:1/b?c=http://d/ HTTP/1.1\r\nHost: a-shadow:1\r\n\r\n",
         "GET http://v2.test:9/b?c=http://d/ HTTP/1.1\r\nHost: v2.test:9\r\n\r\n"},
        {"absolute form without a path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET http://a-shadow HTTP/1.1\r\nHost: a-shadow\r\n\r\n",
         "GET http://v2.test:9 HTTP/1.1\r\nHost: v2.test:9\r\n\r\n"},
        {"absolute form, query at once", "GET http://a?x HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET http://a-shadow?x HTTP/1.1\r\nHost: a-shadow\r\n\r\n",
         "GET http://v2.test:9?x HTTP/1.1\r\nHost: v2.test:9\r\n\r\n"},
        {"authority form", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
         "CONNECT a-shadow:443 HTTP/1.1\r\nHost: a-shadow:443\r\n\r\n",
         "CONNECT v2.test:9 HTTP/1.1\r\nHost: v2.test:9\r\n\r\n"},
        {"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a-shadow\r\n\r\n",
         "OPTIONS * HTTP/1.1\r\nHost: v2.test:9\r\n\r\n"},
        {"a URL inside the path", "GET /to/http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET /to/http://b/ HTTP/1.1\r\nHost: a-shadow\r\n\r\n",
         "GET /to/http://b/ HTTP/1.1\r\nHost: v2.test:9\r\n\r\n"},
        {"no Host", "GET / HTTP/1.0\r\nX: 1\r\n\r\n", "GET / HTTP/1.0\r\nX: 1\r\n\r\n",
         "GET / HTTP/1.0\r\nX: 1\r\nHost: v2.test:9\r\n\r\n"},
    };
    for (const auto& one : cases) {
        EXPECT_EQ(edit_http1(one.head, with_host(HostPolicy::shadow)), one.shadow) << one.name;
        EXPECT_EQ(edit_http1(one.head, with_host(HostPolicy::literal, "v2.test:9")), one.literal) << one.name;
    }
}

TEST(Host, AuthorityAndHostOfHttp2FollowAlike) {
    const Pairs both{{":method", "GET"}, {":authority", "a:1"}, {":path", "/"}, {"host", "a:1"}, {"x", "1"}};
    const Pairs none{{":method", "GET"}, {":path", "/"}, {"x", "1"}};
    EXPECT_EQ(edit_http2(both, with_host(HostPolicy::keep)), both);
    EXPECT_EQ(
        edit_http2(both, with_host(HostPolicy::shadow)),
        (Pairs{{":method", "GET"}, {":authority", "a-shadow:1"}, {":path", "/"}, {"host", "a-shadow:1"}, {"x", "1"}}));
    EXPECT_EQ(edit_http2(both, with_host(HostPolicy::literal, "b")),
              (Pairs{{":method", "GET"}, {":authority", "b"}, {":path", "/"}, {"host", "b"}, {"x", "1"}}));
    EXPECT_EQ(edit_http2({{":method", "GET"}, {":path", "/"}, {"host", "a"}}, with_host(HostPolicy::literal, "b")),
              (Pairs{{":method", "GET"}, {":path", "/"}, {"host", "b"}}));
    EXPECT_EQ(edit_http2(none, with_host(HostPolicy::shadow)), none);
    EXPECT_EQ(edit_http2(none, with_host(HostPolicy::literal, "b")),
              (Pairs{{":method", "GET"}, {":path", "/"}, {":authority", "b"}, {"x", "1"}}));
}

TEST(Host, LiteralThatWouldBreakTheHeadIsNotWritten) {
    const std::string head = "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n";
    for (const std::string literal : {"", "b\r\nX: 1", "b c", "b/c", "b?c", "b#c", "u@b"}) {
        EXPECT_EQ(edit_http1(head, with_host(HostPolicy::literal, literal)), head) << literal;
        EXPECT_FALSE(edit::changes_heads(with_host(HostPolicy::literal, literal))) << literal;
    }
}

}  // namespace
}  // namespace umbra::test
