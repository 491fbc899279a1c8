// TlsClient: the owner of a Connection in TLS tests. Reads and writes as the relays do: until it blocks, then waits.
#pragma once

#include <sys/uio.h>

#include <chrono>

#include "replay/connection.h"
#include "replay/tls_context.h"
#include "unit/replay/tls_server.h"

namespace umbra::test {

class TlsClient : public ConnectionEvents {
public:
    TlsClient(asio::io_context& io, Connection::Settings settings)
        : connection(std::make_shared<Connection>(io, *this, std::move(settings))) {
        EXPECT_EQ(connection->start(), std::nullopt);
    }
    ~TlsClient() override { connection->close(true); }

    void on_connected() override {
        EXPECT_TRUE(connection->connected());
        ++connected;
        push();
    }
    void on_connect_failed(Reason reason) override {
        failure = reason;
        if (connection->tls()) error = connection->tls()->error();
        connection->close(false);
    }
    void on_readable() override {
        ++readable_events;
        if (!reading) return;
        for (;;) {
            IoResult result;
            if (discards) {
                result = connection->discard(256 * 1024);
            } else {
                result = connection->read(buffer);
                received.append(reinterpret_cast<const char*>(buffer.data()), result.count);
            }
            discarded += discards ? result.count : 0;
            if (result.kind == IoResult::Kind::blocked) break;
            if (result.kind != IoResult::Kind::done) {
                ended = result.kind;
                return;
            }
            if (result.count < buffer.size()) break;
            if (one_read_per_event) break;
        }
        connection->wait_readable();
    }
    void on_writable() override { push(); }
    void on_tick() override {}
    bool idle() const override { return false; }
    void on_evicted() override {}

    void send(const std::string& text) {
        out += text;
        if (connection->connected()) push();
    }
    // In parts of changing sizes and places, as a queue of chunks has them.
    void push() {
        while (!out.empty() && !connection->write_blocked()) {
            const std::string moved = out.substr(0, 100 * 1024);
            std::vector<iovec> parts;
            for (std::size_t at = 0; at < moved.size() && parts.size() < 16;) {
                const std::size_t size = std::min(moved.size() - at, part_size);
                parts.push_back({const_cast<char*>(moved.data()) + at, size});
                at += size;
                part_size = part_size * 7 % 9973 + 1;
            }
            const IoResult result = connection->write(parts);
            if (result.kind == IoResult::Kind::blocked) {
                ++blocked;
                connection->wait_writable();
                return;
            }
            write_failed = result.kind == IoResult::Kind::reset;
            if (write_failed) return;
            out.erase(0, result.count);
        }
    }

    std::shared_ptr<Connection> connection;
    int connected = 0, readable_events = 0, blocked = 0;
    std::optional<Reason> failure;
    std::string error, received, out;
    std::optional<IoResult::Kind> ended;
    std::vector<std::byte> buffer = std::vector<std::byte>(64 * 1024);
    std::size_t part_size = 1, discarded = 0;
    bool reading = true, discards = false, one_read_per_event = false, write_failed = false;
};

class TlsFixture : public testing::Test {
protected:
    template <class Condition>
    void until(Condition condition) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!condition()) {
            ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the condition never came true";
            io.restart();
            io.run_for(std::chrono::milliseconds(1));
        }
    }
    void breathe() {
        for (int i = 0; i < 20; ++i) {
            io.restart();
            io.run_for(std::chrono::milliseconds(1));
        }
    }
    std::shared_ptr<TlsContext> context_for(const std::string& ca_file, bool verify = true) {
        rules::TlsOrigination settings;
        settings.on = true;
        settings.verify = verify;
        settings.ca_file = ca_file;
        auto made = TlsContext::make(settings);
        EXPECT_TRUE(made);
        return *made;
    }
    Connection::Settings settings_for(const TlsServer& server, const std::string& name = "v2.test",
                                      Alpn alpn = Alpn::none) {
        return {server.endpoint(), nullptr, context, name, alpn};
    }
    // Until the attempt ended, either way.
    void attempt(TlsClient& client) {
        until([&] { return client.connected || client.failure; });
    }

    asio::io_context io;
    TestAuthority authority;
    std::shared_ptr<TlsContext> context = context_for(authority.file());
};

}  // namespace umbra::test
