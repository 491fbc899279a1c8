// Http2Server: a mirror that speaks HTTP/2 on loopback, in the test's own io_context, and does what the test says.
// Keeps a record of every request: its fields, body and trailers, and how it ended.
#pragma once

#include <nghttp2/nghttp2.h>

#include <asio.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edit/edit.h"
#include "net/ip_address.h"

namespace umbra::test {

using Fields = std::vector<edit::OwnedField>;

inline std::string value_of(const Fields& fields, const std::string& name) {
    for (const auto& field : fields) {
        if (field.name == name) return field.value;
    }
    return {};
}
inline std::vector<nghttp2_nv> to_nv(const Fields& fields) {
    std::vector<nghttp2_nv> out;
    for (const auto& field : fields) {
        auto* name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(field.name.data()));
        auto* value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(field.value.data()));
        out.push_back({name, value, field.name.size(), field.value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    return out;
}

class Http2Server {
public:
    struct Request {
        std::int32_t id = 0;
        Fields fields;
        std::string body;
        Fields trailers;
        bool whole = false;        // END_STREAM came
        std::int64_t reset = -1;   // the code of its RST_STREAM
        std::string answer;        // the response's body
        std::size_t answered = 0;  // bytes of it sent
        std::string path() const { return value_of(fields, ":path"); }
    };

    struct Session : std::enable_shared_from_this<Session> {
        Session(Http2Server& s, asio::ip::tcp::socket taken) : server(s), socket(std::move(taken)) {}
        ~Session() { nghttp2_session_del(h2); }

        // One response; without `end` its stream stays open on our side.
        void respond(Request& request, const std::string& body = "ok", const char* status = "200") {
            request.answer = body;
            const Fields fields{{":status", status}};
            const auto nv = to_nv(fields);
            nghttp2_data_provider provider{{.ptr = &request}, read_answer};
            nghttp2_submit_response(h2, request.id, nv.data(), nv.size(), body.empty() ? nullptr : &provider);
            pump();
        }
        void headers(Request& request, const Fields& fields, bool end = false) {
            const auto nv = to_nv(fields);
            const std::uint8_t flags = end ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE;
            nghttp2_submit_headers(h2, flags, request.id, nullptr, nv.data(), nv.size(), nullptr);
            pump();
        }
        void rst(const Request& request, std::uint32_t code) {
            nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, request.id, code);
            pump();
        }
        void go_away(std::int32_t last) {
            nghttp2_submit_goaway(h2, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
            pump();
        }
        void allow_streams(std::uint32_t count) {
            const nghttp2_settings_entry entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, count};
            nghttp2_submit_settings(h2, NGHTTP2_FLAG_NONE, &entry, 1);
            pump();
        }
        // Gives back the window that a stream's body took.
        void consume(Request& request) {
            nghttp2_session_consume_stream(h2, request.id, held[request.id]);
            held[request.id] = 0;
            pump();
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
        void pump() {
            if (feeding || writing || !socket.is_open()) return;
            out.clear();
            const std::uint8_t* data = nullptr;
            ssize_t count = 0;
            while ((count = nghttp2_session_mem_send(h2, &data)) > 0) {
                out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(count));
            }
            if (out.empty()) return;
            writing = true;
            asio::async_write(socket, asio::buffer(out),
                              [self = shared_from_this()](std::error_code error, std::size_t) {
                                  self->writing = false;
                                  if (!error) self->pump();
                              });
        }
        void feed(const char* data, std::size_t size) {
            feeding = true;
            const auto taken = nghttp2_session_mem_recv(h2, reinterpret_cast<const std::uint8_t*>(data), size);
            feeding = false;
            if (taken < 0) broken = true;
            for (auto& call : std::exchange(later, {})) call();
            pump();
        }
        static ssize_t read_answer(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t size,
                                   std::uint32_t* flags, nghttp2_data_source* source, void*) {
            Request& request = *static_cast<Request*>(source->ptr);
            const std::size_t count = std::min(size, request.answer.size() - request.answered);
            std::copy_n(request.answer.data() + request.answered, count, into);
            request.answered += count;
            if (request.answered == request.answer.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
            return static_cast<ssize_t>(count);
        }

        Http2Server& server;
        asio::ip::tcp::socket socket;
        nghttp2_session* h2 = nullptr;
        std::map<std::int32_t, Request> requests;
        std::map<std::int32_t, std::size_t> held;
        std::vector<std::function<void()>> later;
        std::string out;
        std::vector<char> in = std::vector<char>(64 * 1024);
        bool feeding = false, writing = false, broken = false;
        bool finished = false, was_reset = false, saw_goaway = false;
        std::size_t pings = 0;
    };
    using Action = std::function<void(Session&, Request&)>;

    explicit Http2Server(asio::io_context& io) : acceptor_(io, {asio::ip::make_address("127.0.0.1"), 0}) { accept(); }
    ~Http2Server() { stop(); }
    void stop() {
        std::error_code ignored;
        acceptor_.close(ignored);
        for (auto& session : sessions) session->close();
    }
    Endpoint endpoint() const {
        const auto local = acceptor_.local_endpoint();
        return {*IpAddress::parse(local.address().to_string()), local.port()};
    }
    std::vector<const Request*> requests() const {
        std::vector<const Request*> all;
        for (const auto& session : sessions) {
            for (const auto& [id, request] : session->requests) all.push_back(&request);
        }
        return all;
    }
    // Null: no request of this path.
    Request* find(const std::string& path) const {
        for (const auto& session : sessions) {
            for (auto& [id, request] : session->requests) {
                if (request.path() == path) return &request;
            }
        }
        return nullptr;
    }
    std::size_t whole() const {
        std::size_t count = 0;
        for (const Request* request : requests()) count += request->whole;
        return count;
    }

    std::vector<nghttp2_settings_entry> settings;
    bool consume_streams = true;  // false: the test gives back windows by Session::consume()
    std::function<void(Session&)> on_accept;
    Action on_head, on_data, on_reset;
    Action on_whole = [](Session& session, Request& request) { session.respond(request); };
    std::vector<std::shared_ptr<Session>> sessions;

private:
    static Session& self(void* user) { return *static_cast<Session*>(user); }
    static void call(Session& session, const Action& action, std::int32_t id) {
        if (action) session.later.push_back([&session, &action, id] { action(session, session.requests.at(id)); });
    }
    static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t flags, void* user) {
        Request& request = self(user).requests[frame->hd.stream_id];
        request.id = frame->hd.stream_id;
        const bool head = frame->headers.cat == NGHTTP2_HCAT_REQUEST;
        (head ? request.fields : request.trailers)
            .push_back({{reinterpret_cast<const char*>(name), name_size},
                        {reinterpret_cast<const char*>(value), value_size},
                        (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0});
        return 0;
    }
    static int chunk(nghttp2_session* h2, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                     void* user) {
        Session& session = self(user);
        session.requests[id].body.append(reinterpret_cast<const char*>(data), size);
        nghttp2_session_consume_connection(h2, size);
        if (session.server.consume_streams) {
            nghttp2_session_consume_stream(h2, id, size);
        } else {
            session.held[id] += size;
        }
        call(session, session.server.on_data, id);
        return 0;
    }
    static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
        Session& session = self(user);
        const std::int32_t id = frame->hd.stream_id;
        if (frame->hd.type == NGHTTP2_GOAWAY) session.saw_goaway = true;
        if (frame->hd.type == NGHTTP2_PING) ++session.pings;
        if (frame->hd.type == NGHTTP2_RST_STREAM) {
            session.requests[id].reset = frame->rst_stream.error_code;
            call(session, session.server.on_reset, id);
        }
        if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
            call(session, session.server.on_head, id);
        }
        const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
        if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
            session.requests[id].whole = true;
            call(session, session.server.on_whole, id);
        }
        return 0;
    }
    void start(Session& session) {
        nghttp2_session_callbacks* callbacks = nullptr;
        nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, chunk);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame);
        nghttp2_option* option = nullptr;
        nghttp2_option_new(&option);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_session_server_new2(&session.h2, callbacks, &session, option);
        nghttp2_option_del(option);
        nghttp2_session_callbacks_del(callbacks);
        nghttp2_submit_settings(session.h2, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
        session.pump();
    }
    void accept() {
        acceptor_.async_accept([this](std::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            sessions.push_back(std::make_shared<Session>(*this, std::move(socket)));
            const auto session = sessions.back();
            start(*session);
            if (on_accept) on_accept(*session);
            if (session->socket.is_open()) read(session);
            accept();
        });
    }
    void read(const std::shared_ptr<Session>& session) {
        session->socket.async_read_some(asio::buffer(session->in),
                                        [this, session](std::error_code error, std::size_t n) {
                                            if (error == asio::error::operation_aborted) return;
                                            if (error) {
                                                session->finished = error == asio::error::eof;
                                                session->was_reset = error == asio::error::connection_reset;
                                                return;
                                            }
                                            session->feed(session->in.data(), n);
                                            if (session->socket.is_open()) read(session);
                                        });
    }

    asio::ip::tcp::acceptor acceptor_;
};

}  // namespace umbra::test
