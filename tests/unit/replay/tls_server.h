// TlsServer: a mirror that speaks TLS, in the test's own io_context. OpenSSL works on memory, so that the test decides
// which bytes are sent and when.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <asio/write.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/ip_address.h"
#include "replay/asio.h"
#include "unit/replay/tls_pki.h"

namespace umbra::test {

class TlsServer {
public:
    struct Session : std::enable_shared_from_this<Session> {
        Session(asio::ip::tcp::socket s, SSL_CTX* context) : socket(std::move(s)), ssl(SSL_new(context), SSL_free) {
            BIO* in = BIO_new(BIO_s_mem());
            BIO_set_mem_eof_return(in, -1);
            SSL_set_bio(ssl.get(), in, BIO_new(BIO_s_mem()));
            SSL_set_accept_state(ssl.get());
        }
        void send(const std::string& text) {
            ASSERT_GT(SSL_write(ssl.get(), text.data(), static_cast<int>(text.size())), 0);
            flush();
        }
        void close_notify() {
            SSL_shutdown(ssl.get());
            flush();
        }
        // What OpenSSL wants to send.
        std::string take_output() {
            char* data = nullptr;
            const long size = BIO_get_mem_data(SSL_get_wbio(ssl.get()), &data);
            std::string bytes(data, static_cast<std::size_t>(size));
            (void)BIO_reset(SSL_get_wbio(ssl.get()));
            return bytes;
        }
        void flush() {
            if (!hold_output) send_raw(take_output());
        }
        void send_raw(const std::string& bytes) {
            const bool active = !out.empty();
            out += bytes;
            if (!active && !out.empty()) pump();
        }
        void pump() {
            sending = out;
            asio::async_write(socket, asio::buffer(sending),
                              [self = shared_from_this()](std::error_code error, std::size_t n) {
                                  self->out.erase(0, n);
                                  if (!error && !self->out.empty()) self->pump();
                              });
        }
        void close(bool reset = false) {
            std::error_code ignored;
            if (reset) socket.set_option(asio::socket_base::linger(true, 0), ignored);
            socket.close(ignored);
        }
        void read() {
            auto handler = [self = shared_from_this()](std::error_code error, std::size_t n) { self->took(error, n); };
            socket.async_read_some(asio::buffer(buffer), handler);
        }
        void took(std::error_code error, std::size_t n) {
            if (error == asio::error::operation_aborted) return;
            if (error) {
                tcp_ended = true;
                was_reset = error == asio::error::connection_reset;
                return;
            }
            raw_received += n;
            BIO_write(SSL_get_rbio(ssl.get()), buffer.data(), static_cast<int>(n));
            step();
            if (socket.is_open() && !paused) read();
        }
        void step() {
            std::vector<char> plain(64 * 1024);
            for (;;) {
                ERR_clear_error();
                const int n = SSL_read(ssl.get(), plain.data(), static_cast<int>(plain.size()));
                if (n <= 0) break;
                received.append(plain.data(), static_cast<std::size_t>(n));
            }
            finished = (SSL_get_shutdown(ssl.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
            flush();
            if (on_data && SSL_is_init_finished(ssl.get())) on_data(*this);
        }

        asio::ip::tcp::socket socket;
        std::shared_ptr<SSL> ssl;
        std::vector<char> buffer = std::vector<char>(64 * 1024);
        std::string received, out, sending;
        std::size_t raw_received = 0;
        bool finished = false;  // by close_notify
        bool tcp_ended = false;
        bool was_reset = false;
        bool paused = false;
        bool hold_output = false;
        std::function<void(Session&)> on_data;
    };

    TlsServer(asio::io_context& io, const Identity& identity)
        : acceptor_(io, {asio::ip::make_address("127.0.0.1"), 0}),
          context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
        SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
        SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
        accept();
    }
    ~TlsServer() {
        std::error_code ignored;
        acceptor_.close(ignored);
        for (auto& session : sessions) session->close();
    }
    Endpoint endpoint() const { return {*IpAddress::parse("127.0.0.1"), acceptor_.local_endpoint().port()}; }
    SSL_CTX* context() { return context_.get(); }
    void only_version(int version) {
        SSL_CTX_set_min_proto_version(context(), version);
        SSL_CTX_set_max_proto_version(context(), version);
    }
    void choose_alpn(const std::string& protocol) {
        alpn_ = static_cast<char>(protocol.size()) + protocol;
        SSL_CTX_set_alpn_select_cb(context(), select_alpn, this);
    }
    Session& latest() { return *sessions.back(); }

    // Without it a session begins with the handshake.
    std::function<void(Session&)> on_accept = [](Session& session) { session.read(); };
    std::vector<std::shared_ptr<Session>> sessions;
    std::string offered_alpn;

private:
    static int select_alpn(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offer,
                           unsigned offer_size, void* self) {
        auto& server = *static_cast<TlsServer*>(self);
        server.offered_alpn.assign(reinterpret_cast<const char*>(offer), offer_size);
        unsigned char* chosen = nullptr;
        const auto* own = reinterpret_cast<const unsigned char*>(server.alpn_.data());
        if (SSL_select_next_proto(&chosen, size, own, static_cast<unsigned>(server.alpn_.size()), offer, offer_size) !=
            OPENSSL_NPN_NEGOTIATED) {
            return SSL_TLSEXT_ERR_NOACK;
        }
        *out = chosen;
        return SSL_TLSEXT_ERR_OK;
    }
    void accept() {
        acceptor_.async_accept([this](std::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            sessions.push_back(std::make_shared<Session>(std::move(socket), context_.get()));
            on_accept(*sessions.back());
            accept();
        });
    }

    asio::ip::tcp::acceptor acceptor_;
    std::shared_ptr<SSL_CTX> context_;
    std::string alpn_;
};

}  // namespace umbra::test
