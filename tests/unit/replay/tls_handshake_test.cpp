// Who is trusted, what is negotiated, and what a failed handshake says.
#include <sys/stat.h>

#include "unit/replay/tls_client.h"

namespace umbra::test {
namespace {

class TlsHandshake : public TlsFixture {
protected:
    void expect_failure(TlsClient& client, const std::string& cause) {
        attempt(client);
        EXPECT_EQ(client.connected, 0);
        EXPECT_EQ(client.failure, Reason::tls_failed);
        EXPECT_NE(client.error.find(cause), std::string::npos) << client.error;
        EXPECT_NE(client.error.find("TLS handshake with 127.0.0.1:"), std::string::npos) << client.error;
        EXPECT_EQ(context->last_failure(), client.error);
        EXPECT_EQ(context->sessions(), 0u);
    }
};

TEST_F(TlsHandshake, TrustedNameConnectsWithEitherVersion) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        TlsServer server(io, authority.issue("DNS:v2.test"));
        server.only_version(version);
        TlsClient client(io, settings_for(server));
        attempt(client);
        EXPECT_EQ(client.connected, 1) << client.error;
        EXPECT_EQ(client.connection->tls()->error(), "");
        EXPECT_EQ(client.connection->tls()->alpn(), "");
        until([&] { return SSL_is_init_finished(server.latest().ssl.get()) == 1; });
        EXPECT_STREQ(SSL_get_servername(server.latest().ssl.get(), TLSEXT_NAMETYPE_host_name), "v2.test");
    }
    EXPECT_EQ(context->last_failure(), "");
}

TEST_F(TlsHandshake, UnknownAuthority) {
    const TestAuthority other;
    TlsServer server(io, other.issue("DNS:v2.test"));
    TlsClient client(io, settings_for(server));
    expect_failure(client, "certificate: unable to get local issuer certificate");
}

TEST_F(TlsHandshake, SystemsAuthoritiesDoNotKnowOurs) {
    context = context_for("");
    TlsServer server(io, authority.issue("DNS:v2.test"));
    TlsClient client(io, settings_for(server));
    expect_failure(client, "certificate: ");
}

TEST_F(TlsHandshake, OtherName) {
    TlsServer server(io, authority.issue("DNS:v1.test,DNS:*.v2.test"));
    TlsClient client(io, settings_for(server));
    expect_failure(client, "hostname mismatch, it is not of v2.test");
}

TEST_F(TlsHandshake, Expired) {
    TlsServer server(io, authority.issue("DNS:v2.test", -3600));
    TlsClient client(io, settings_for(server));
    expect_failure(client, "certificate has expired");
}

TEST_F(TlsHandshake, WithoutVerificationAnyCertificateWill) {
    const TestAuthority other;
    context = context_for("", false);
    TlsServer server(io, other.issue("DNS:v1.test", -3600));
    TlsClient client(io, settings_for(server));
    attempt(client);
    EXPECT_EQ(client.connected, 1) << client.error;
}

TEST_F(TlsHandshake, AddressesAreVerifiedAndNotAskedForByName) {
    TlsServer server(io, authority.issue("IP:127.0.0.1"));
    TlsClient by_default(io, settings_for(server, ""));
    attempt(by_default);
    EXPECT_EQ(by_default.connected, 1) << by_default.error;
    until([&] { return SSL_is_init_finished(server.latest().ssl.get()) == 1; });
    EXPECT_EQ(SSL_get_servername(server.latest().ssl.get(), TLSEXT_NAMETYPE_host_name), nullptr);
}

TEST_F(TlsHandshake, OtherAddress) {
    TlsServer server(io, authority.issue("IP:127.0.0.2,DNS:127.0.0.1"));
    TlsClient client(io, settings_for(server, ""));
    expect_failure(client, "IP address mismatch, it is not of 127.0.0.1");
}

TEST_F(TlsHandshake, NameThatCannotBeAskedFor) {
    TlsServer server(io, authority.issue("DNS:v2.test"));
    TlsClient client(io, settings_for(server, std::string(300, 'a')));
    expect_failure(client, "cannot be prepared for this name");
}

TEST_F(TlsHandshake, OldVersionsAreRefused) {
    TlsServer server(io, authority.issue("DNS:v2.test"));
    SSL_CTX_set_security_level(server.context(), 0);
    server.only_version(TLS1_1_VERSION);
    TlsClient client(io, settings_for(server));
    expect_failure(client, "version");
}

TEST_F(TlsHandshake, PeerThatSpeaksNoTls) {
    TlsServer server(io, authority.issue("DNS:v2.test"));
    server.on_accept = [](TlsServer::Session& session) { session.send_raw("HTTP/1.1 400 Bad Request\r\n\r\n"); };
    TlsClient client(io, settings_for(server));
    expect_failure(client, "the peer may not speak TLS");
}

TEST_F(TlsHandshake, PeerThatHangsUp) {
    TlsServer server(io, authority.issue("DNS:v2.test"));
    server.on_accept = [](TlsServer::Session& session) { session.socket.shutdown(asio::socket_base::shutdown_send); };
    TlsClient client(io, settings_for(server));
    expect_failure(client, "the peer closed the connection");
}

TEST_F(TlsHandshake, PeerThatResets) {
    TlsServer server(io, authority.issue("DNS:v2.test"));
    server.on_accept = [](TlsServer::Session& session) {
        session.socket.async_wait(asio::socket_base::wait_read, [&session](std::error_code) { session.close(true); });
    };
    TlsClient client(io, settings_for(server));
    attempt(client);
    EXPECT_EQ(client.failure, Reason::tls_failed);
    EXPECT_NE(client.error, "");
}

TEST_F(TlsHandshake, PeerThatIsSilentIsNotConnected) {
    TlsServer server(io, authority.issue("DNS:v2.test"));
    server.on_accept = [](TlsServer::Session&) {};
    TlsClient client(io, settings_for(server));
    until([&] { return client.connection->tls() != nullptr && !server.sessions.empty(); });
    breathe();
    EXPECT_FALSE(client.connection->connected());
    EXPECT_FALSE(client.connected || client.failure || client.readable_events) << "the owner's timeout decides";
    client.connection->close(false);
    until([&] {
        std::error_code error;
        std::vector<char> hello(4096);
        server.latest().socket.read_some(asio::buffer(hello), error);
        return error == asio::error::eof;
    });
}

TEST_F(TlsHandshake, HandshakeInPiecesAsSmallAsTheyGet) {
    TlsServer server(io, authority.issue("DNS:v2.test"));
    server.on_accept = [](TlsServer::Session& session) {
        session.hold_output = true;
        session.read();
    };
    TlsClient client(io, settings_for(server));
    std::string held;
    until([&] {
        if (!server.sessions.empty()) {
            auto& session = server.latest();
            held += session.take_output();
            if (!held.empty() && session.out.empty()) {
                session.send_raw(held.substr(0, 100));
                held.erase(0, 100);
            }
        }
        return client.connected || client.failure;
    });
    EXPECT_EQ(client.connected, 1) << client.error;
}

TEST_F(TlsHandshake, RefusedConnectionIsNoTlsFailure) {
    auto server = std::make_unique<TlsServer>(io, authority.issue("DNS:v2.test"));
    const auto settings = settings_for(*server);
    server.reset();
    TlsClient client(io, settings);
    attempt(client);
    EXPECT_EQ(client.failure, Reason::connect_refused);
    EXPECT_EQ(context->last_failure(), "");
}

TEST_F(TlsHandshake, Alpn) {
    const struct {
        Alpn offer;
        std::string chosen, offered, agreed;
    } cases[] = {
        {Alpn::http1, "http/1.1", "\x08http/1.1", "http/1.1"},
        {Alpn::http2, "h2", "\x02h2", "h2"},
        {Alpn::http1, "h2", "\x08http/1.1", ""},
        {Alpn::none, "h2", "", ""},
    };
    for (const auto& one : cases) {
        TlsServer server(io, authority.issue("DNS:v2.test"));
        server.choose_alpn(one.chosen);
        TlsClient client(io, settings_for(server, "v2.test", one.offer));
        attempt(client);
        EXPECT_EQ(client.connected, 1) << client.error;
        EXPECT_EQ(client.connection->tls()->alpn(), one.agreed);
        EXPECT_EQ(server.offered_alpn, one.offered);
    }
}

TEST_F(TlsHandshake, Http2IsRequired) {
    TlsServer server(io, authority.issue("DNS:v2.test"));
    server.choose_alpn("http/1.1");
    server.only_version(TLS1_3_VERSION);
    TlsClient client(io, settings_for(server, "v2.test", Alpn::http2));
    expect_failure(client, "the peer does not speak HTTP/2");
}

TEST_F(TlsHandshake, SessionsAreResumedForTheSameNameOnly) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        context = context_for(authority.file());
        TlsServer server(io, authority.issue("DNS:v2.test"));
        server.only_version(version);
        SSL_CTX_set_session_id_context(server.context(), reinterpret_cast<const unsigned char*>("t"), 1);
        for (const bool again : {false, true, true}) {
            TlsClient client(io, settings_for(server));
            attempt(client);
            ASSERT_EQ(client.connected, 1) << client.error;
            EXPECT_EQ(client.connection->tls()->resumed(), again) << version;
            until([&] { return context->sessions() == 1 && SSL_is_init_finished(server.latest().ssl.get()); });
            server.latest().send("x");
            until([&] { return client.received == "x"; });
        }
        TlsClient other(io, settings_for(server, "other.test"));
        attempt(other);
        EXPECT_EQ(other.failure, Reason::tls_failed) << "a session of another name must not prove this one";
    }
}

// Limits: tls_sessions.
TEST_F(TlsHandshake, SessionsAreBounded) {
    TlsServer server(io, authority.issue("DNS:*.v2.test"));
    server.only_version(TLS1_2_VERSION);
    for (std::size_t i = 0; i < TlsContext::kSessions + 3; ++i) {
        TlsClient client(io, settings_for(server, "n" + std::to_string(i) + ".v2.test"));
        attempt(client);
        ASSERT_EQ(client.connected, 1) << client.error;
    }
    EXPECT_EQ(context->sessions(), TlsContext::kSessions);
}

TEST(TlsContext, CaFileThatCannotServe) {
    const TempFile empty, text("not a certificate\n");
    const auto error_of = [](const std::string& path) {
        rules::TlsOrigination settings;
        settings.ca_file = path;
        const auto made = TlsContext::make(settings);
        EXPECT_FALSE(made);
        return made ? "" : made.error().message;
    };
    EXPECT_EQ(error_of("/nonexistent/ca.pem"), "read CA certificates, /nonexistent/ca.pem: No such file or directory");
    EXPECT_EQ(error_of(empty.path()), "read CA certificates, " + empty.path() + ": no certificate in PEM form in it");
    EXPECT_EQ(error_of(text.path()), "read CA certificates, " + text.path() + ": no certificate in PEM form in it");
    EXPECT_NE(error_of("/tmp"), "");
    if (::geteuid() != 0) {
        ::chmod(text.path().c_str(), 0);
        EXPECT_EQ(error_of(text.path()), "read CA certificates, " + text.path() + ": Permission denied");
    }
}

TEST(TlsContext, ServerName) {
    const Endpoint v4 = *Endpoint::parse("10.0.0.1:443"), v6 = *Endpoint::parse("[fd00::1]:443");
    rules::TlsOrigination settings;
    EXPECT_EQ(tls_server_name(settings, "", v4), "10.0.0.1");
    EXPECT_EQ(tls_server_name(settings, "", v6), "fd00::1");
    EXPECT_EQ(tls_server_name(settings, "httpbin", v4), "httpbin");
    EXPECT_EQ(tls_server_name(settings, "httpbin:8443", v4), "httpbin");
    EXPECT_EQ(tls_server_name(settings, "httpbin.default.svc.cluster.local.:80", v4),
              "httpbin.default.svc.cluster.local");
    EXPECT_EQ(tls_server_name(settings, "[fd00::2]:80", v4), "fd00::2");
    EXPECT_EQ(tls_server_name(settings, "[fd00::2]", v4), "fd00::2");
    EXPECT_EQ(tls_server_name(settings, "fd00::2", v4), "fd00::2");
    EXPECT_EQ(tls_server_name(settings, ":80", v4), "10.0.0.1");
    settings.server_name = "v2.test.";
    EXPECT_EQ(tls_server_name(settings, "httpbin:80", v4), "v2.test");
}

}  // namespace
}  // namespace umbra::test
