// Random heads under random settings, written and parsed again: the same request in the same framing, and no field
// differs but those that were asked for.
#include <algorithm>
#include <random>
#include <set>

#include "edit/fields.h"
#include "unit/edit/edit_harness.h"

namespace umbra::test {
namespace {

class Generator {
public:
    explicit Generator(unsigned seed) : engine_(seed) {}
    std::size_t below(std::size_t limit) { return engine_() % limit; }
    bool chance(unsigned percent) { return below(100) < percent; }
    template <std::size_t N>
    std::string one_of(const char* const (&choices)[N]) {
        return choices[below(N)];
    }
    // Any byte that a field may hold, blanks at the ends included.
    std::string value() {
        std::string out;
        for (std::size_t i = below(12); i > 0; --i) {
            const char c = static_cast<char>(below(256));
            out += wire::is_field_value_char(c) ? c : '\t';
        }
        return out;
    }
    std::string name() {
        const std::string lower = one_of({"a", "x-secret", "cookie", "x-b", "x-request-id", "x-forwarded-for", "m"});
        std::string out = lower;
        for (char& c : out) {
            if (chance(30)) c = static_cast<char>(std::toupper(c));
        }
        return out;
    }

private:
    std::mt19937 engine_;
};

std::string random_head(Generator& random) {
    const std::string method = random.one_of({"GET", "POST", "PURGE", "get", "CONNECT", "OPTIONS"});
    const std::string target = method == "CONNECT"
                                   ? random.one_of({"a:1", "[::1]:2", "a-shadow:3"})
                                   : random.one_of({"/", "/?token=1", "/x?a=%41&tok%65n=2&b", "http://a:8/?token=", "*",
                                                    "http://10.0.0.1", "/%00?&&", "https://u:p@b/#x"});
    std::string out = method + " " + target + (random.chance(20) ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    const bool host = random.chance(80);
    if (host) out += "Host: " + random.one_of({"a:1", "httpbin", "", "10.0.0.1:5", "a-shadow"}) + "\r\n";
    for (std::size_t i = random.below(8); i > 0; --i) {
        out += random.name() + ":" + random.value() + "\r\n";
        if (random.chance(15)) out += random.one_of({"Connection: close", "TE: trailers", "Upgrade: h2c"}) + "\r\n";
    }
    const bool framed = method != "CONNECT" && random.chance(50);
    if (framed && out.find("HTTP/1.1") != out.npos && random.chance(50)) {
        out += "Transfer-Encoding: chunked\r\n";
    } else if (framed) {
        out += "Content-length:  12 \r\n";
    }
    return out + "\r\n";
}

std::string lower_name(Generator& random) {
    std::string name = random.name();
    if (random.chance(30)) name = random.one_of({"host", "connection", "content-length", "transfer-encoding", "te"});
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    return name;
}

// A value of the settings may be anything here, line breaks included.
std::string setting_value(Generator& random) {
    return random.chance(25) ? random.one_of({"x\r\nY: 1", "x\r\n\r\n", "x\ny", "\r"}) : random.value();
}

rules::MirrorSettings random_settings(Generator& random) {
    using Action = rules::RedactedItem::Action;
    rules::MirrorSettings out;
    out.host = static_cast<rules::HostPolicy>(random.below(3));
    out.host_literal = random.one_of({"v2", "v2.test:80", "[::1]:4", "x\r\ny", ""});
    for (std::size_t i = random.below(3); i > 0; --i)
        out.headers.set.emplace_back(lower_name(random), setting_value(random));
    for (std::size_t i = random.below(3); i > 0; --i)
        out.headers.add.emplace_back(lower_name(random), setting_value(random));
    for (std::size_t i = random.below(3); i > 0; --i) out.headers.remove.push_back(lower_name(random));
    for (std::size_t i = random.below(3); i > 0; --i) {
        out.redaction.headers.push_back(
            {lower_name(random), static_cast<Action>(random.below(3)), setting_value(random)});
    }
    if (random.chance(40))
        out.redaction.query = {{"token", static_cast<Action>(random.below(3)), setting_value(random)}};
    if (random.chance(30)) out.request_id_header = "x-request-id";
    if (random.chance(30)) out.marker_header = lower_name(random);
    out.marker_value = setting_value(random);
    if (random.chance(30)) out.client_address = rules::ClientAddress::forwarded_for;
    return out;
}

std::set<std::string> asked_for(const rules::MirrorSettings& settings) {
    std::set<std::string> names{"host", settings.marker_header, settings.request_id_header};
    for (const auto& [name, value] : settings.headers.set) names.insert(name);
    for (const auto& [name, value] : settings.headers.add) names.insert(name);
    names.insert(settings.headers.remove.begin(), settings.headers.remove.end());
    for (const auto& item : settings.redaction.headers) names.insert(item.name);
    if (settings.client_address == rules::ClientAddress::forwarded_for) names.insert("x-forwarded-for");
    for (const char* framing : {"connection", "content-length", "transfer-encoding", "te", "upgrade"}) {
        names.erase(framing);
    }
    return names;
}

Pairs fields_but(const wire::Http1Head& head, const std::set<std::string>& names) {
    Pairs out;
    for (const auto& [name, value] : head.headers) {
        const bool asked =
            std::any_of(names.begin(), names.end(), [&](const std::string& one) { return edit::same_name(name, one); });
        if (!asked) out.emplace_back(name, value);
    }
    return out;
}

TEST(EditProperty, WrittenHeadsParseAsTheSameRequest) {
    int edited = 0;
    for (unsigned seed = 0; seed < 20000; ++seed) {
        Generator random(seed);
        const ParsedHead before(random_head(random));
        if (before.fault != wire::HttpFault::none) continue;
        const auto settings = random_settings(random);
        std::string text;
        edit::write_http1(before.request(), settings, {v4_flow(), seed}, text);
        wire::HeadEnd end;
        ASSERT_EQ(end.scan(text).end, text.size()) << "seed " << seed << "\n" << text;
        const ParsedHead after(text);
        ASSERT_EQ(after.fault, wire::HttpFault::none) << "seed " << seed << "\n" << text;
        ASSERT_EQ(after.head.method, before.head.method) << "seed " << seed;
        ASSERT_EQ(after.head.version_minor, before.head.version_minor) << "seed " << seed;
        ASSERT_EQ(after.head.body, before.head.body) << "seed " << seed;
        ASSERT_EQ(after.head.content_length, before.head.content_length) << "seed " << seed;
        ASSERT_EQ(after.head.close, before.head.close) << "seed " << seed;
        ASSERT_EQ(after.head.upgrade, before.head.upgrade) << "seed " << seed;
        const auto names = asked_for(settings);
        ASSERT_EQ(fields_but(after.head, names), fields_but(before.head, names)) << "seed " << seed;
        const bool target_asked = settings.host != rules::HostPolicy::keep || !settings.redaction.query.empty();
        ASSERT_TRUE(target_asked || after.head.target == before.head.target) << "seed " << seed;
        std::string plain;
        edit::write_http1(before.request(), {}, {v4_flow(), seed}, plain);
        edited += text != plain;
        ASSERT_TRUE(edit::changes_heads(settings) || text == plain) << "seed " << seed;
    }
    EXPECT_GT(edited, 10000) << "the generator makes too few edits to prove anything";
}

TEST(EditProperty, Http2GetsTheSameEdits) {
    for (unsigned seed = 0; seed < 5000; ++seed) {
        Generator random(seed);
        auto settings = random_settings(random);
        settings.host = rules::HostPolicy::keep;
        settings.redaction.query.clear();
        std::string head = "GET / HTTP/1.1\r\n";
        std::vector<std::pair<std::string, std::string>> fields;
        for (std::size_t i = random.below(8); i > 0; --i)
            fields.emplace_back(lower_name(random), "v" + std::to_string(i));
        std::erase_if(fields, [](const auto& field) { return edit::is_protected(field.first); });
        for (const auto& [name, value] : fields) head.append(name).append(": ").append(value).append("\r\n");
        Pairs with_pseudo{{":method", "GET"}};
        with_pseudo.insert(with_pseudo.end(), fields.begin(), fields.end());
        std::string expected = "GET / HTTP/1.1\r\n";
        const Pairs out = edit_http2(with_pseudo, settings);
        ASSERT_EQ(out.at(0).first, ":method");
        for (std::size_t i = 1; i < out.size(); ++i) {
            expected.append(out[i].first).append(": ").append(out[i].second).append("\r\n");
        }
        ASSERT_EQ(edit_http1(head + "\r\n", settings), expected + "\r\n") << "seed " << seed;
    }
}

}  // namespace
}  // namespace umbra::test
