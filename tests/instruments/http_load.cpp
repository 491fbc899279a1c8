// A fast HTTP/1.1 client that checks every answer: its own X-Id, the digest of the bytes it sent, the server's name,
// the body's length. http_load ADDRESS PORT LOG CONNECTIONS REQUESTS RATE PER_CONNECTION SEED [stay] At RATE requests
// per second, closed loop; each connection carries up to twice PER_CONNECTION requests, every fourth one just one; 0:
// all of them. With "stay" it goes on after REQUESTS until SIGTERM. Prints one JSON line; exits 1 if a request failed.
// Bodies are up to 2 KB, one in a hundred up to 64 KB. Records: record.h.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <random>
#include <string>

#include "instruments/record.h"

namespace umbra::instruments {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kPatience = 30 * kSecond;  // for one answer
volatile std::sig_atomic_t g_stop = 0;

struct Options {
    sockaddr_in server{};
    std::size_t connections = 0;
    std::uint64_t requests = 0, rate = 0, per_connection = 0, seed = 0;
    bool stay = false;
};

struct Connection {
    int fd = -1;
    bool connected = false, busy = false;
    std::uint64_t left = 0;  // requests until a new connection
    std::uint64_t id = 0, digest = 0, begin = 0;
    std::string out, in;
    std::size_t sent = 0;
};

class Load {
public:
    Load(const Options& options, const char* log)
        : options_(options),
          log_(log),
          random_(options.seed),
          connections_(options.connections),
          poll_(::epoll_create1(EPOLL_CLOEXEC)) {
        pool_.resize(1 << 17);
        for (char& c : pool_) c = static_cast<char>(32 + random_() % 95);
        for (std::size_t i = 0; i < connections_.size(); ++i) idle_.push_back(i);
    }

    int run() {
        const auto start = now_ns();
        next_ = start;
        while (!finished()) {
            begin_requests();
            wait();
            if (now_ns() - looked_ > kSecond) look_for_late_ones();
            log_.flush();
        }
        const double seconds = static_cast<double>(now_ns() - start) / 1e9;
        std::printf(
            "{\"sent\": %llu, \"answered\": %llu, \"failed\": %llu, \"connects\": %llu, \"seconds\": %.3f, "
            "\"error\": \"%s\"}\n",
            begun_, answered_, failed_, opened_, seconds, error_.c_str());
        return failed_ == 0 ? 0 : 1;
    }

private:
    bool enough() const { return begun_ >= options_.requests && (!options_.stay || g_stop != 0); }
    bool finished() const { return enough() && idle_.size() == connections_.size(); }

    void begin_requests() {
        for (const auto now = now_ns(); !idle_.empty() && next_ <= now && !enough();) {
            const std::size_t index = idle_.front();
            idle_.pop_front();
            next_ = std::max(next_ + kSecond / options_.rate, now - kSecond / 50);
            begin(index);
        }
    }
    void begin(std::size_t index) {
        Connection& c = connections_[index];
        write_request(c);
        c.busy = true;
        c.begin = now_ns();
        ++begun_;
        if (c.fd < 0 && !open(index)) return;
        if (c.connected) send(index);
    }
    bool open(std::size_t index) {
        Connection& c = connections_[index];
        c.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        c.left = ++opened_ % 4 == 0 ? 1 : 1 + random_() % std::max<std::uint64_t>(1, 2 * options_.per_connection);
        if (options_.per_connection == 0) c.left = ~std::uint64_t{0};
        const int one = 1;
        ::setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        const auto* server = reinterpret_cast<const sockaddr*>(&options_.server);
        if (::connect(c.fd, server, sizeof(options_.server)) != 0 && errno != EINPROGRESS) {
            give_up(index, std::string("connect: ") + std::strerror(errno));
            return false;
        }
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLET;
        event.data.u64 = index;
        ::epoll_ctl(poll_, EPOLL_CTL_ADD, c.fd, &event);
        return true;
    }
    void write_request(Connection& c) {
        c.id = options_.seed * 1'000'000'000 + begun_;
        const std::size_t most = random_() % 100 == 0 ? 65536 : 2048;
        const std::size_t size = random_() % 3 == 0 ? 0 : random_() % most;
        char head[256];
        std::snprintf(head, sizeof(head),
                      "%s /load/%llu HTTP/1.1\r\nHost: v1\r\nX-Id: %llu\r\nContent-Length: %zu\r\n\r\n",
                      size ? "POST" : "GET", static_cast<unsigned long long>(random_() % 1000),
                      static_cast<unsigned long long>(c.id), size);
        c.out = head;
        c.out.append(pool_, random_() % (pool_.size() - size), size);
        c.digest = digest_of(c.out);
        c.sent = 0;
        c.in.clear();
    }
    void wait() {
        epoll_event events[256];
        const auto now = now_ns();
        const bool may_begin = !idle_.empty() && !enough();
        const int patience = !may_begin || next_ > now + 100'000'000 ? 100 : next_ > now + 1'000'000 ? 1 : 0;
        const int count = ::epoll_wait(poll_, events, 256, patience);
        for (int i = 0; i < count; ++i) handle(events[i].data.u64, events[i].events);
    }
    void handle(std::size_t index, std::uint32_t events) {
        Connection& c = connections_[index];
        if (c.fd < 0) return;
        if (events & EPOLLOUT && !(events & EPOLLERR)) c.connected = true;
        if (c.busy && c.connected && c.sent < c.out.size()) send(index);
        if (c.fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(index);
    }
    void send(std::size_t index) {
        Connection& c = connections_[index];
        while (c.sent < c.out.size()) {
            const ssize_t sent = ::send(c.fd, c.out.data() + c.sent, c.out.size() - c.sent, MSG_NOSIGNAL);
            if (sent < 0 && errno == EAGAIN) return;
            if (sent < 0) return give_up(index, std::string("send: ") + std::strerror(errno));
            c.sent += static_cast<std::size_t>(sent);
        }
    }
    void receive(std::size_t index) {
        Connection& c = connections_[index];
        char block[8192];
        for (;;) {
            const ssize_t got = ::recv(c.fd, block, sizeof(block), 0);
            if (got < 0 && errno == EAGAIN) return judge(index);
            if (got <= 0) return give_up(index, got == 0 ? "closed by the server" : std::strerror(errno));
            c.in.append(block, static_cast<std::size_t>(got));
        }
    }
    void judge(std::size_t index) {
        Connection& c = connections_[index];
        char wanted[256];
        const auto body = static_cast<std::size_t>(c.id % 500);
        const int head = std::snprintf(
            wanted, sizeof(wanted),
            "HTTP/1.1 200 OK\r\nX-From: v1\r\nX-Id: %llu\r\nX-Digest: %016llx\r\nContent-Length: %zu\r\n\r\n",
            static_cast<unsigned long long>(c.id), static_cast<unsigned long long>(c.digest), body);
        if (!c.busy && !c.in.empty()) return give_up(index, "an answer to nothing");
        if (c.in.size() < static_cast<std::size_t>(head) + body) return;
        if (c.in.size() != static_cast<std::size_t>(head) + body ||
            c.in.compare(0, static_cast<std::size_t>(head), wanted))
            return give_up(index, "a wrong answer");
        const auto now = now_ns();
        log_.add({c.id, c.digest, static_cast<std::uint32_t>(c.out.size()),
                  static_cast<std::uint32_t>((now - c.begin) / 1000), now});
        ++answered_;
        c.in.clear();
        if (--c.left == 0 || enough()) close(c);
        rest(index);
    }
    void give_up(std::size_t index, const std::string& why) {
        Connection& c = connections_[index];
        close(c);
        ++failed_;
        if (error_.empty()) error_ = why;
        if (c.busy) rest(index);
    }
    void rest(std::size_t index) {
        connections_[index].busy = false;
        idle_.push_back(index);
    }
    static void close(Connection& c) {
        if (c.fd >= 0) ::close(c.fd);
        c.fd = -1;
        c.connected = false;
    }
    void look_for_late_ones() {
        looked_ = now_ns();
        for (std::size_t i = 0; i < connections_.size(); ++i)
            if (connections_[i].busy && looked_ - std::min(connections_[i].begin, looked_) > kPatience)
                give_up(i, "no answer within 30 s");
    }

    Options options_;
    RecordLog log_;
    std::mt19937_64 random_;
    std::vector<Connection> connections_;
    std::deque<std::size_t> idle_;
    int poll_;
    std::string pool_, error_;
    std::uint64_t next_ = 0, looked_ = 0;
    unsigned long long begun_ = 0, answered_ = 0, failed_ = 0, opened_ = 0;
};

}  // namespace
}  // namespace umbra::instruments

int main(int argc, char** argv) {
    using namespace umbra::instruments;
    if (argc < 9) return 2;
    Options options;
    options.server.sin_family = AF_INET;
    options.server.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[2])));
    ::inet_pton(AF_INET, argv[1], &options.server.sin_addr);
    options.connections = std::strtoull(argv[4], nullptr, 10);
    options.requests = std::strtoull(argv[5], nullptr, 10);
    options.rate = std::max(1ULL, std::strtoull(argv[6], nullptr, 10));
    options.per_connection = std::strtoull(argv[7], nullptr, 10);
    options.seed = std::strtoull(argv[8], nullptr, 10);
    options.stay = argc > 9;
    std::signal(SIGTERM, [](int) { g_stop = 1; });
    static Load load(options, argv[3]);
    return load.run();
}
