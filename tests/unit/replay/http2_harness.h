// Http2Harness: drives the HTTP/2 side of ReplayFlows as protocol would: counts bytes as seen and announces them
// before each call, for a head after it. Remembers what each client sent, by path, and compares a mirror's record with
// it.
#pragma once

#include "replay/replay_flow.h"
#include "unit/replay/http2_server.h"
#include "unit/replay/replay_harness.h"

namespace umbra::test {

class Http2Harness : public ReplayHarness {
public:
    struct Sent {
        Fields fields;
        std::string body;
        Fields trailers;
        bool ended = false;
        std::string path;
        umbra_ledger_row* row = nullptr;
    };
    struct Client {
        std::unique_ptr<ReplayFlow> flow;
        Http2Sink* sink = nullptr;
        std::map<std::uint32_t, Sent> streams;
    };

    explicit Http2Harness(const ReplayLimits& limits = {}) : ReplayHarness(limits) {}
    ~Http2Harness() {
        clients.clear();
        if (replayer) replayer->shutdown(now);
        for (const umbra_ledger_row* each : rows) expect_closed(*each);
    }
    void mirror_to(const Http2Server& server) { target.endpoints = {server.endpoint()}; }

    Client& client(std::size_t index) {
        while (clients.size() <= index) {
            FlowTuple tuple{*Endpoint::parse("10.0.0.1:1000"), *Endpoint::parse("10.0.0.2:80")};
            tuple.client.port = static_cast<std::uint16_t>(2000 + clients.size());
            clients.push_back({replayer->open(tuple, row, now), nullptr, {}});
            clients.back().sink = clients.back().flow->http2(now);
        }
        return clients[index];
    }
    // The head of a POST; `more` follows its pseudo-headers.
    umbra_ledger_row* begin(std::uint32_t stream, const std::string& path, const Fields& more = {},
                            std::size_t index = 0) {
        Sent sent;
        sent.path = path;
        sent.fields = {{":method", "POST"}, {":scheme", "http"}, {":authority", "a"}, {":path", path}};
        sent.fields.insert(sent.fields.end(), more.begin(), more.end());
        RequestHead head;
        head.method = "POST";
        head.target = path;
        head.authority = "a";
        head.version_major = 2;
        head.version_minor = 0;
        const auto views = views_of(sent.fields);
        Client& from = client(index);
        sent.row = from.sink->stream_head(stream, head, views, now);
        umbra_ledger_row* const counted = sent.row;
        from.streams[stream] = std::move(sent);
        if (counted) announce(stream, 9 + path.size(), index);
        return counted;
    }
    void body(std::uint32_t stream, const std::string& text, std::size_t index = 0) {
        announce(stream, 9 + text.size(), index);
        client(index).streams[stream].body += text;
        client(index).sink->stream_data(stream, as_bytes(text), now);
    }
    void trailers(std::uint32_t stream, const Fields& fields, std::size_t index = 0) {
        announce(stream, 20, index);
        client(index).streams[stream].trailers = fields;
        client(index).sink->stream_trailers(stream, views_of(fields), now);
    }
    void end(std::uint32_t stream, std::size_t index = 0) {
        client(index).streams[stream].ended = true;
        client(index).sink->stream_end(stream, now);
    }
    void cancel(std::uint32_t stream, std::uint32_t code = NGHTTP2_CANCEL, Reason reason = Reason::client_reset,
                std::size_t index = 0) {
        if (!client(index).streams.at(stream).ended) announce(stream, 13, index);
        client(index).sink->stream_reset(stream, code, reason, now);
    }
    void unary(std::uint32_t stream, const std::string& path, const std::string& text = "", std::size_t index = 0) {
        begin(stream, path, {}, index);
        if (!text.empty()) body(stream, text, index);
        end(stream, index);
    }
    void close(CloseKind kind = CloseKind::finished, std::size_t index = 0, Reason reason = Reason::idle) {
        client(index).flow->close(kind, reason, now);
    }
    // Each request that the mirror has whole is one that a client ended, byte for byte, and none is there twice.
    void expect_exact(const Http2Server& server) const {
        std::map<std::string, const Sent*> sent;
        for (const auto& from : clients) {
            for (const auto& [id, stream] : from.streams) sent[stream.path] = &stream;
        }
        std::set<std::string> paths;
        for (const auto* request : server.requests()) {
            EXPECT_TRUE(paths.insert(request->path()).second) << request->path() << " was sent twice";
            if (!request->whole) continue;
            const Sent& original = *sent.at(request->path());
            EXPECT_TRUE(original.ended) << request->path();
            EXPECT_TRUE(request->body == original.body) << request->path();
            EXPECT_TRUE(same(request->fields, original.fields)) << request->path();
            EXPECT_TRUE(same(request->trailers, original.trailers)) << request->path();
        }
    }
    static bool same(const Fields& one, const Fields& other) {
        return std::equal(one.begin(), one.end(), other.begin(), other.end(), [](const auto& a, const auto& b) {
            return a.name == b.name && a.value == b.value && a.never_index == b.never_index;
        });
    }
    static std::vector<HeaderField> views_of(const Fields& fields) {
        std::vector<HeaderField> out;
        for (const auto& field : fields) out.push_back({field.name, field.value, field.never_index});
        return out;
    }

    std::vector<Client> clients;
    std::vector<const umbra_ledger_row*> rows{&row};

    void announce(std::uint32_t stream, std::size_t count, std::size_t index) {
        Client& from = client(index);
        ledger_seen(*from.streams.at(stream).row, &umbra_units::bytes, count);
        from.sink->stream_bytes(stream, count);
    }
};

}  // namespace umbra::test
