// Reading and writing through TLS keeps the contracts of a plain connection.
#include <asio/read.hpp>

#include "unit/replay/tls_client.h"

namespace umbra::test {
namespace {

std::string noise(std::size_t size) {
    std::string out(size, 0);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 2654435761u >> 23);
    return out;
}

class TlsIo : public TlsFixture, public testing::WithParamInterface<int> {
protected:
    TlsIo() { server.only_version(GetParam()); }
    void connect(TlsClient& client) {
        attempt(client);
        ASSERT_EQ(client.connected, 1) << client.error;
        until([&] { return SSL_is_init_finished(server.latest().ssl.get()) == 1; });
        breathe();
    }
    TlsServer::Session& session() { return server.latest(); }

    TlsServer server{io, authority.issue("DNS:v2.test")};
};

INSTANTIATE_TEST_SUITE_P(Version, TlsIo, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& of) { return of.param == TLS1_3_VERSION ? "Tls13" : "Tls12"; });

TEST_P(TlsIo, LargeBodiesBothWays) {
    const std::string up = noise(6'000'000), down = noise(5'000'001);
    TlsClient client(io, settings_for(server));
    connect(client);
    client.send(up);
    session().send(down);
    until([&] { return session().received.size() >= up.size() && client.received.size() >= down.size(); });
    EXPECT_TRUE(session().received == up);
    EXPECT_TRUE(client.received == down);
    EXPECT_FALSE(client.connection->tls()->unsent());
}

TEST_P(TlsIo, BlockedPeerBlocksAndGoesOnWithOtherBuffers) {
    const std::string up = noise(8'000'000);
    TlsClient client(io, settings_for(server));
    connect(client);
    session().paused = true;
    client.send(up);
    until([&] { return client.connection->tls()->unsent(); });
    breathe();
    EXPECT_TRUE(client.connection->write_blocked());
    session().paused = false;
    session().read();
    until([&] { return session().received.size() >= up.size(); });
    EXPECT_TRUE(session().received == up);
}

TEST_P(TlsIo, BlockedReaderDoesNotStopTheWriter) {
    const std::string up = noise(300'000), down = noise(4'000'000);
    TlsClient client(io, settings_for(server));
    connect(client);
    client.reading = false;
    session().send(down);
    client.send(up);
    until([&] { return session().received.size() >= up.size(); });
    EXPECT_EQ(client.received, "");
    client.reading = true;
    client.connection->wait_readable();
    until([&] { return client.received.size() >= down.size(); });
    EXPECT_TRUE(client.received == down);
}

TEST_P(TlsIo, DecryptedBytesArriveAlthoughTheSocketIsEmpty) {
    TlsClient client(io, settings_for(server));
    connect(client);
    client.buffer.resize(10);
    client.one_read_per_event = true;
    const std::string down = noise(5000);
    session().send(down);
    until([&] { return client.received.size() >= down.size(); });
    EXPECT_TRUE(client.received == down);
    breathe();
    const int events = client.readable_events;
    breathe();
    EXPECT_EQ(client.readable_events, events) << "nothing is left and yet it is called";
}

TEST_P(TlsIo, TicketsAreNoResponse) {
    TlsClient client(io, settings_for(server));
    connect(client);
    until([&] { return context->sessions() == 1; });
    EXPECT_EQ(client.received, "");
    EXPECT_EQ(client.ended, std::nullopt);
    EXPECT_TRUE(client.connection->quiet());
}

TEST_P(TlsIo, TicketsThatNobodyReadKeepItQuiet) {
    server.on_accept = [](TlsServer::Session& session) { session.read(); };
    TlsClient client(io, settings_for(server));
    client.reading = false;
    connect(client);
    until([&] { return client.connection->quiet() && context->sessions() == 1; });
    EXPECT_TRUE(client.connection->quiet());
}

TEST_P(TlsIo, NotQuietWhenBytesWait) {
    TlsClient client(io, settings_for(server));
    connect(client);
    client.reading = false;
    session().send("x");
    until([&] { return !client.connection->quiet(); });
    client.reading = true;
    client.connection->wait_readable();
    until([&] { return client.received == "x"; });
    EXPECT_TRUE(client.connection->quiet());
}

TEST_P(TlsIo, WhatQuietFoundIsStillDelivered) {
    TlsClient client(io, settings_for(server));
    connect(client);
    session().send("x");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (client.connection->quiet() && std::chrono::steady_clock::now() < deadline) {
    }
    until([&] { return client.received == "x"; });
}

TEST_P(TlsIo, NotQuietInTheMiddleOfARecord) {
    TlsClient client(io, settings_for(server));
    connect(client);
    session().hold_output = true;
    session().send("hello");
    const std::string record = session().take_output();
    session().send_raw(record.substr(0, record.size() - 1));
    until([&] { return !client.connection->quiet(); });
    session().send_raw(record.substr(record.size() - 1));
    until([&] { return client.received == "hello"; });
}

TEST_P(TlsIo, NotQuietAfterTheEnd) {
    for (const bool notify : {true, false}) {
        TlsClient client(io, settings_for(server));
        connect(client);
        client.reading = false;
        if (notify) {
            session().close_notify();
        } else {
            session().close();
        }
        until([&] { return !client.connection->quiet(); });
        EXPECT_FALSE(client.connection->quiet()) << "and stays so " << notify;
    }
}

TEST_P(TlsIo, CloseNotifyIsClosedBehindTheLastByte) {
    TlsClient client(io, settings_for(server));
    connect(client);
    session().send("bye");
    session().close_notify();
    until([&] { return client.ended.has_value(); });
    EXPECT_EQ(client.ended, IoResult::Kind::closed);
    EXPECT_EQ(client.received, "bye");
    EXPECT_EQ(client.connection->read(client.buffer).kind, IoResult::Kind::closed) << "and stays so";
    client.send("still");
    until([&] { return session().raw_received > 0 && client.out.empty(); });
    EXPECT_FALSE(client.write_failed) << "a half-closed connection still takes bytes";
}

TEST_P(TlsIo, TruncationIsReset) {
    TlsClient client(io, settings_for(server));
    connect(client);
    session().send("half an answ");
    until([&] { return client.received == "half an answ"; });
    session().close();
    until([&] { return client.ended.has_value(); });
    EXPECT_EQ(client.ended, IoResult::Kind::reset);
    EXPECT_NE(client.connection->tls()->error().find("without close_notify"), std::string::npos);
    client.send("x");
    EXPECT_TRUE(client.write_failed);
}

TEST_P(TlsIo, GarbageIsReset) {
    TlsClient client(io, settings_for(server));
    connect(client);
    session().send_raw(noise(500));
    until([&] { return client.ended.has_value(); });
    EXPECT_EQ(client.ended, IoResult::Kind::reset);
    EXPECT_EQ(client.received, "");
}

TEST_P(TlsIo, ResetIsReset) {
    TlsClient client(io, settings_for(server));
    connect(client);
    session().close(true);
    until([&] { return client.ended.has_value(); });
    EXPECT_EQ(client.ended, IoResult::Kind::reset);
}

TEST_P(TlsIo, FinishingEndsOurSideOnly) {
    TlsClient client(io, settings_for(server));
    connect(client);
    client.send("request");
    client.connection->finish_writing();
    until([&] { return session().finished; });
    EXPECT_EQ(session().received, "request");
    EXPECT_FALSE(session().tcp_ended);
    session().send("answer");
    until([&] { return client.received == "answer"; });
}

TEST_P(TlsIo, FinishingWaitsForWhatIsUnsent) {
    const std::string up = noise(8'000'000);
    TlsClient client(io, settings_for(server));
    connect(client);
    session().paused = true;
    client.send(up);
    until([&] { return client.connection->tls()->unsent(); });
    const std::size_t taken = up.size() - client.out.size();
    client.out.clear();
    client.connection->finish_writing();
    breathe();
    EXPECT_FALSE(session().finished);
    session().paused = false;
    session().read();
    until([&] { return session().finished; });
    EXPECT_TRUE(session().received == up.substr(0, taken));
}

TEST_P(TlsIo, CloseSaysGoodbyeAndResetDoesNot) {
    for (const bool reset : {false, true}) {
        TlsClient client(io, settings_for(server));
        connect(client);
        client.send("request");
        until([&] { return session().received == "request"; });
        client.connection->close(reset);
        EXPECT_EQ(client.connection->tls(), nullptr);
        until([&] { return session().tcp_ended; });
        EXPECT_EQ(session().finished, !reset);
        EXPECT_EQ(session().was_reset, reset);
    }
}

TEST_P(TlsIo, CloseWithBytesUnsentLooksIncomplete) {
    TlsClient client(io, settings_for(server));
    connect(client);
    session().paused = true;
    client.send(noise(8'000'000));
    until([&] { return client.connection->tls()->unsent(); });
    client.connection->close(false);
    session().paused = false;
    session().read();
    until([&] { return session().tcp_ended; });
    EXPECT_FALSE(session().finished);
}

TEST_P(TlsIo, DiscardedBytesAreCounted) {
    TlsClient client(io, settings_for(server));
    connect(client);
    client.discards = true;
    client.buffer.resize(1);  // a short count does not end a turn of discarding
    session().send(noise(3'000'000));
    until([&] { return client.discarded >= 3'000'000; });
    EXPECT_EQ(client.discarded, 3'000'000u);
    EXPECT_EQ(client.received, "");
    session().close_notify();
    until([&] { return client.ended == IoResult::Kind::closed; });
}

TEST_F(TlsFixture, PreambleGoesBeforeTls) {
    std::string first(4, 0);
    TlsServer server(io, authority.issue("DNS:v2.test"));
    server.on_accept = [&](TlsServer::Session& session) {
        asio::async_read(session.socket, asio::buffer(first), [&](std::error_code, std::size_t) { session.read(); });
    };
    auto settings = settings_for(server);
    settings.preamble = "PRE!";
    TlsClient client(io, settings);
    attempt(client);
    EXPECT_EQ(client.connected, 1) << client.error;
    EXPECT_EQ(first, "PRE!");
}

TEST_F(TlsFixture, PreambleGoesBeforePlainBytes) {
    std::string first(8, 0);
    bool complete = false;
    TlsServer server(io, authority.issue("DNS:v2.test"));
    server.on_accept = [&](TlsServer::Session& session) {
        asio::async_read(session.socket, asio::buffer(first), [&](std::error_code, std::size_t) { complete = true; });
    };
    auto settings = settings_for(server);
    settings.tls = nullptr;
    settings.preamble = "PRE!";
    TlsClient client(io, settings);
    client.send("data");
    until([&] { return complete; });
    EXPECT_EQ(first, "PRE!data");
}

TEST_F(TlsFixture, NewKeysAreFollowed) {
    TlsServer server(io, authority.issue("DNS:v2.test"));
    server.only_version(TLS1_3_VERSION);
    TlsClient client(io, settings_for(server));
    attempt(client);
    for (int i = 1; i <= 3; ++i) {
        until([&] { return !server.sessions.empty() && SSL_is_init_finished(server.latest().ssl.get()); });
        ASSERT_EQ(SSL_key_update(server.latest().ssl.get(), SSL_KEY_UPDATE_REQUESTED), 1);
        server.latest().send("down");
        client.send("up!!");
        until([&] { return client.received.size() == 4u * i && server.latest().received.size() == 4u * i; });
    }
    EXPECT_EQ(client.ended, std::nullopt);
}

TEST_F(TlsFixture, RenegotiationIsRefused) {
    TlsServer server(io, authority.issue("DNS:v2.test"));
    server.only_version(TLS1_2_VERSION);
    TlsClient client(io, settings_for(server));
    attempt(client);
    until([&] { return SSL_is_init_finished(server.latest().ssl.get()) == 1; });
    const std::size_t before = server.latest().raw_received;
    ASSERT_EQ(SSL_renegotiate(server.latest().ssl.get()), 1);
    SSL_do_handshake(server.latest().ssl.get());
    server.latest().flush();
    until([&] { return server.latest().raw_received > before; });
    EXPECT_LT(server.latest().raw_received, before + 100) << "an alert, no new handshake";
}

// A ticket larger than a record: when half of it is here, writing has to wait for the rest.
TEST_F(TlsFixture, WritingWaitsForAHalfReadTicket) {
    TlsServer server(io, authority.issue("DNS:v2.test"));
    server.only_version(TLS1_3_VERSION);
    SSL_CTX_set_num_tickets(server.context(), 0);
    SSL_CTX_set_max_send_fragment(server.context(), 512);
    SSL_CTX_set_session_ticket_cb(
        server.context(),
        [](SSL* ssl, void*) {
            const std::string data(1500, 'x');
            return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data.data(), data.size());
        },
        [](SSL*, SSL_SESSION*, const unsigned char*, std::size_t, SSL_TICKET_STATUS, void*) {
            return SSL_TICKET_RETURN_IGNORE_RENEW;
        },
        nullptr);
    TlsClient client(io, settings_for(server));
    attempt(client);
    until([&] { return SSL_is_init_finished(server.latest().ssl.get()) == 1; });
    auto& session = server.latest();
    session.hold_output = true;
    ASSERT_EQ(SSL_new_session_ticket(session.ssl.get()), 1);
    ASSERT_EQ(SSL_do_handshake(session.ssl.get()), 1);
    session.send("answer");
    const std::string ticket = session.take_output();
    ASSERT_GT(ticket.size(), 1500u);
    session.hold_output = false;
    session.send_raw(ticket.substr(0, 600));
    until([&] { return client.connection->tls()->write_wants_read(); });
    client.send("request");
    EXPECT_EQ(client.blocked, 1);
    breathe();
    EXPECT_EQ(client.blocked, 1) << "asked again although nothing came";
    session.send_raw(ticket.substr(600));
    until([&] { return client.received == "answer" && session.received == "request"; });
    EXPECT_EQ(context->sessions(), 1u);
}

}  // namespace
}  // namespace umbra::test
