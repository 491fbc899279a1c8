// ScriptedServer: a mirror on loopback that lives in the test's own io_context and does what the test says.
#pragma once

#include <asio.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/ip_address.h"
#include "wire/http1_request.h"

namespace umbra::test {

class ScriptedServer {
public:
    struct Session : std::enable_shared_from_this<Session> {
        Session(asio::ip::tcp::socket s, std::size_t reads) : socket(std::move(s)), buffer(reads) {}
        asio::ip::tcp::socket socket;
        std::string received;
        std::vector<std::string> requests;  // complete ones
        std::size_t parsed = 0;
        bool finished = false;  // the client ended its side
        bool was_reset = false;
        bool paused = false;
        std::vector<char> buffer;
        std::string out;
        std::size_t sending = 0;

        void send(const std::string& text) {
            const bool active = !out.empty();
            out += text;
            if (!active) pump();
        }
        void pump() {
            sending = std::min<std::size_t>(out.size(), 256 * 1024);
            asio::async_write(socket, asio::buffer(out.data(), sending),
                              [self = shared_from_this()](std::error_code error, std::size_t) {
                                  self->out.erase(0, self->sending);
                                  if (!error && !self->out.empty()) self->pump();
                              });
        }
        void close() {
            std::error_code ignored;
            socket.close(ignored);
        }
        void reset() {
            std::error_code ignored;
            socket.set_option(asio::socket_base::linger(true, 0), ignored);
            socket.close(ignored);
        }
    };
    using Action = std::function<void(Session&)>;
    using Answer = std::function<void(Session&, const std::string& request)>;

    // on_data: after every read. on_request: after every complete request. on_accept: before anything is read.
    explicit ScriptedServer(asio::io_context& io, std::uint16_t port = 0, const char* address = "127.0.0.1")
        : acceptor_(io, {asio::ip::make_address(address), port}) {
        accept();
    }
    ~ScriptedServer() { stop(); }
    void stop() {
        std::error_code ignored;
        acceptor_.close(ignored);
        for (auto& session : sessions) session->close();
    }

    Endpoint endpoint() const {
        const auto local = acceptor_.local_endpoint();
        return {*IpAddress::parse(local.address().to_string()), local.port()};
    }
    std::vector<std::string> requests() const {
        std::vector<std::string> all;
        for (const auto& session : sessions) all.insert(all.end(), session->requests.begin(), session->requests.end());
        return all;
    }
    std::string received() const {
        std::string all;
        for (const auto& session : sessions) all += session->received;
        return all;
    }

    Action on_accept, on_data, on_end;
    Answer on_request = [](Session& session, const std::string&) {
        session.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    };
    std::vector<std::shared_ptr<Session>> sessions;
    std::size_t read_bytes = 256 * 1024;  // at once

private:
    void accept() {
        acceptor_.async_accept(
            [this, here = std::weak_ptr(here_)](std::error_code error, asio::ip::tcp::socket socket) {
                if (error || here.expired()) return;
                sessions.push_back(std::make_shared<Session>(std::move(socket), read_bytes));
                if (on_accept) on_accept(*sessions.back());
                if (sessions.back()->socket.is_open() && !sessions.back()->paused) read(sessions.back());
                accept();
            });
    }
    void read(const std::shared_ptr<Session>& session) {
        session->socket.async_read_some(asio::buffer(session->buffer), [this, session, here = std::weak_ptr(here_)](
                                                                           std::error_code error, std::size_t n) {
            if (error == asio::error::operation_aborted || here.expired()) return;
            if (error) {
                session->finished = error == asio::error::eof;
                session->was_reset = error == asio::error::connection_reset;
                if (on_end) on_end(*session);
                return;
            }
            session->received.append(session->buffer.data(), n);
            split(*session);
            if (on_data) on_data(*session);
            if (session->socket.is_open()) read(session);
        });
    }
    void split(Session& session) {
        while (session.parsed < session.received.size() && session.socket.is_open()) {
            const std::string_view rest = std::string_view(session.received).substr(session.parsed);
            wire::HeadEnd head_end;
            const auto found = head_end.scan(rest);
            if (!found.end) return;
            wire::RequestParser parser;
            wire::Http1Head head;
            if (parser.head(rest.substr(0, *found.end), head) != wire::HttpFault::none) return;
            std::size_t size = *found.end;
            if (head.body != wire::BodyKind::none) {
                const auto step = parser.body(as_bytes(rest.substr(size)));
                if (!step.done) return;
                size += step.consumed;
            }
            session.parsed += size;
            session.requests.emplace_back(rest.substr(0, size));
            if (on_request) on_request(session, session.requests.back());
        }
    }

    asio::ip::tcp::acceptor acceptor_;
    // Gone with the server: handlers that are still queued then do nothing.
    std::shared_ptr<bool> here_ = std::make_shared<bool>();
};

}  // namespace umbra::test
