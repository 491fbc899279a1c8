// A fast HTTP/1.1 server that records each request (record.h) before it answers, so that the records survive SIGKILL.
// It plays the origin and the mirrors: http_stand NAME CONTROL LOG ADDRESS:PORT... Its control socket takes lines and
// answers each with one: "counts", or "mode normal|noread|garbage|hang". Answers carry the server's name, the request's
// X-Id, the digest of its raw bytes and X-Id % 500 bytes.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <memory>
#include <string>
#include <unordered_map>

#include "instruments/record.h"

namespace umbra::instruments {
namespace {

constexpr std::size_t kHeadMax = 16384;
enum class Mode { normal, noread, garbage, hang };

struct Connection {
    std::uint32_t number = 0;
    std::string in, out;
    bool damaged = false;
};

// The value of a header field whose name is given with its line break and colon; empty if it is absent.
std::string_view field(std::string_view head, std::string_view name) {
    const auto at = head.find(name);
    if (at == std::string_view::npos) return {};
    const auto begin = at + name.size();
    return head.substr(begin, head.find('\r', begin) - begin);
}

std::uint64_t number(std::string_view text, std::uint64_t absent) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? value : absent;
}

class Stand {
public:
    Stand(std::string name, const char* log)
        : name_(std::move(name)), log_(log), poll_(::epoll_create1(EPOLL_CLOEXEC)) {}

    void listen_tcp(const std::string& place) {
        const auto colon = place.rfind(':');
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(place.substr(colon + 1))));
        ::inet_pton(AF_INET, place.substr(0, colon).c_str(), &address.sin_addr);
        const int one = 1, fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) || ::listen(fd, 4096)) fail("listen");
        watch(fd, EPOLLIN, EPOLL_CTL_ADD);
        listeners_.push_back(fd);
    }
    void listen_control(const char* path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        ::unlink(path);
        control_ = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (::bind(control_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) || ::listen(control_, 16))
            fail("listen on the control socket");
        watch(control_, EPOLLIN, EPOLL_CTL_ADD);
    }
    [[noreturn]] void run() {
        epoll_event events[256];
        for (;;) {
            const int count = ::epoll_wait(poll_, events, 256, -1);
            for (int i = 0; i < count; ++i) handle(events[i].data.fd, events[i].events);
            log_.flush();
            for (int i = 0; i < count; ++i) answer(events[i].data.fd);
        }
    }

private:
    void watch(int fd, std::uint32_t events, int operation) {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        if (::epoll_ctl(poll_, operation, fd, &event)) fail("epoll_ctl");
    }
    std::uint32_t wanted(const Connection& connection) const {
        return (mode_ == Mode::noread ? 0u : static_cast<std::uint32_t>(EPOLLIN)) |
               (connection.out.empty() ? 0u : static_cast<std::uint32_t>(EPOLLOUT));
    }
    void handle(int fd, std::uint32_t events) {
        if (fd == control_) return obey();
        const auto found = connections_.find(fd);
        if (found == connections_.end()) return accept_all(fd);
        if (mode_ == Mode::noread && !(events & (EPOLLHUP | EPOLLERR))) return;
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(fd, *found->second);
    }
    void accept_all(int listener) {
        for (;;) {
            const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) return;
            const int one = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
            auto connection = std::make_unique<Connection>();
            connection->number = ++accepted_;
            watch(fd, wanted(*connection), EPOLL_CTL_ADD);
            connections_[fd] = std::move(connection);
        }
    }
    void receive(int fd, Connection& connection) {
        for (;;) {
            const ssize_t got = ::recv(fd, block_, sizeof(block_), 0);
            if (got < 0 && errno == EAGAIN) break;
            if (got <= 0) return close_connection(fd, connection);
            if (!connection.damaged) connection.in.append(block_, static_cast<std::size_t>(got));
            if (static_cast<std::size_t>(got) < sizeof(block_)) break;
        }
        take_requests(connection);
    }
    void take_requests(Connection& connection) {
        std::size_t done = 0;
        while (done < connection.in.size() && !connection.damaged) {
            const std::string_view rest = std::string_view(connection.in).substr(done);
            const auto end = rest.find("\r\n\r\n");
            if (end == std::string_view::npos) {
                if (rest.size() > kHeadMax) damage(connection, rest);
                break;
            }
            const std::string_view head = rest.substr(0, end + 4);
            const auto id = number(field(head, "\r\nX-Id: "), kDamaged);
            if (id == kDamaged) {
                damage(connection, rest);
                break;
            }
            const auto size = head.size() + number(field(head, "\r\nContent-Length: "), 0);
            if (rest.size() < size) break;
            note(connection, id, rest.substr(0, size));
            done += size;
        }
        connection.in.erase(0, connection.damaged ? connection.in.size() : done);
    }
    void damage(Connection& connection, std::string_view bytes) {
        connection.damaged = true;
        log_.add({kDamaged, digest_of(bytes), static_cast<std::uint32_t>(bytes.size()), connection.number, now_ns()});
    }
    void note(Connection& connection, std::uint64_t id, std::string_view bytes) {
        const auto digest = digest_of(bytes);
        log_.add({id, digest, static_cast<std::uint32_t>(bytes.size()), connection.number, now_ns()});
        ++requests_;
        if (mode_ == Mode::hang) return;
        if (mode_ == Mode::garbage) {
            connection.out += "SSH-2.0-not_http\r\n\r\n";
            return;
        }
        char head[256];
        std::snprintf(
            head, sizeof(head),
            "HTTP/1.1 200 OK\r\nX-From: %s\r\nX-Id: %llu\r\nX-Digest: %016llx\r\nContent-Length: %llu\r\n\r\n",
            name_.c_str(), static_cast<unsigned long long>(id), static_cast<unsigned long long>(digest),
            static_cast<unsigned long long>(id % 500));
        connection.out += head;
        connection.out.append(id % 500, 'x');
    }
    void answer(int fd) {
        const auto found = connections_.find(fd);
        if (found == connections_.end()) return;
        Connection& connection = *found->second;
        if (!connection.out.empty()) {
            const ssize_t sent = ::send(fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN) return close_connection(fd, connection);
            if (sent > 0) connection.out.erase(0, static_cast<std::size_t>(sent));
            watch(fd, wanted(connection), EPOLL_CTL_MOD);
        } else {
            watch(fd, wanted(connection), EPOLL_CTL_MOD);
        }
    }
    void close_connection(int fd, const Connection& connection) {
        partial_ += !connection.in.empty();
        ::close(fd);
        connections_.erase(fd);
    }
    void obey() {
        const int peer = ::accept4(control_, nullptr, nullptr, SOCK_CLOEXEC);
        char text[64] = {};
        const ssize_t got = ::recv(peer, text, sizeof(text) - 1, 0);
        const std::string_view order(text, got > 0 ? static_cast<std::size_t>(got) : 0);
        if (order == "mode normal") set_mode(Mode::normal);
        if (order == "mode noread") set_mode(Mode::noread);
        if (order == "mode garbage") set_mode(Mode::garbage);
        if (order == "mode hang") set_mode(Mode::hang);
        char reply[128];
        const int size = std::snprintf(reply, sizeof(reply), "%llu %u %zu %llu", requests_, accepted_,
                                       connections_.size(), partial_);
        ::send(peer, reply, static_cast<std::size_t>(size), MSG_NOSIGNAL);
        ::close(peer);
    }
    void set_mode(Mode mode) {
        mode_ = mode;
        for (const auto& [fd, connection] : connections_) watch(fd, wanted(*connection), EPOLL_CTL_MOD);
    }

    std::string name_;
    RecordLog log_;
    int poll_, control_ = -1;
    std::vector<int> listeners_;
    Mode mode_ = Mode::normal;
    unsigned long long requests_ = 0, partial_ = 0;
    std::uint32_t accepted_ = 0;
    std::unordered_map<int, std::unique_ptr<Connection>> connections_;
    char block_[65536];
};

}  // namespace
}  // namespace umbra::instruments

int main(int argc, char** argv) {
    if (argc < 5) return 2;
    static umbra::instruments::Stand stand(argv[1], argv[3]);
    for (int i = 4; i < argc; ++i) stand.listen_tcp(argv[i]);
    stand.listen_control(argv[2]);
    stand.run();
}
