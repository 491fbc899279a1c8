#include "metrics/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <thread>

#include "base/unique_fd.h"
#include "metrics/exporter.h"
#include "metrics/pages.h"

namespace umbra::metrics {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class Client {
public:
    explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const timeval limit{20, 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
    }
    bool connected() const { return connected_; }
    Client& send(const std::string& bytes) {
        ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        return *this;
    }
    // Until `end` was received, or the connection's end.
    std::string receive(const std::string& end = "") {
        std::string all;
        char buffer[4096];
        while (end.empty() || all.find(end) == std::string::npos) {
            const ssize_t got = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
            if (got <= 0) break;
            all.append(buffer, static_cast<std::size_t>(got));
        }
        return all;
    }

private:
    UniqueFd fd_;
    bool connected_ = false;
};

// The pages of an agent that answers, in a thread of their own.
class HttpServerTest : public testing::Test {
protected:
    void start(HttpLimits limits = {}) {
        reader_.emplace(io_, [](const char*, milliseconds) -> Result<control::Json> {
            return control::Json{{"terminator", "running"}, {"closes", true}};
        });
        const Endpoint any{*IpAddress::parse("127.0.0.1"), 0};
        auto server = HttpServer::listen(io_, any, make_pages(*reader_), limits);
        ASSERT_TRUE(server) << server.error().message;
        server_ = std::move(*server);
        port_ = server_->port();
        thread_ = std::thread([this] { io_.run(); });
    }
    void TearDown() override {
        io_.stop();
        if (thread_.joinable()) thread_.join();
        server_.reset();
        reader_.reset();
    }
    Client client() const { return Client(port_); }
    std::string get(const std::string& path, const std::string& method = "GET") const {
        return client().send(method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").receive();
    }

    asio::io_context io_;
    std::optional<AgentReader> reader_;
    std::unique_ptr<HttpServer> server_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

TEST_F(HttpServerTest, ServesItsPagesAndNothingElse) {
    start();
    EXPECT_THAT(get("/metrics"), testing::AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("version=0.0.4"),
                                                HasSubstr("\numbra_up 1\n")));
    EXPECT_THAT(get("/metrics?x=1"), StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(get("/healthz"), EndsWith("\r\n\r\nthe agent answers\n"));
    EXPECT_THAT(get("/readyz"), EndsWith("\r\n\r\nrules are in force\n"));
    for (const char* path : {"/", "/etc/passwd", "/metrics/", "/../metrics", "/healthz/x", "*", "http://x/metrics"})
        EXPECT_THAT(get(path), StartsWith("HTTP/1.1 404 ")) << path;
    for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"})
        EXPECT_THAT(get("/metrics", method),
                    testing::AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("\r\nAllow: GET, HEAD\r\n")));
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
    start();
    EXPECT_THAT(get("/healthz", "HEAD"), testing::AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\n"),
                                                        HasSubstr("\r\nContent-Length: 18\r\n")));
}

TEST_F(HttpServerTest, KeepsTheConnectionAndTakesRequestsThatCameTogether) {
    start();
    Client keeper = client();
    const std::string request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    for (int i = 0; i < 3; ++i) EXPECT_THAT(keeper.send(request).receive("answers\n"), HasSubstr("keep-alive"));
    keeper.send(request + "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(keeper.receive(), testing::AllOf(HasSubstr("the agent answers\n"), EndsWith("rules are in force\n")));
}

// Limits: http_head.
TEST_F(HttpServerTest, RefusesWhatIsNoRequestAndHeadsAboveTheLimit) {
    start();
    EXPECT_THAT(client().send("\x16\x03\x01 no HTTP\r\n\r\n").receive(), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(client().send("GET /metrics HTTP/1.1\r\nX: " + std::string(100000, 'x')).receive(),
                StartsWith("HTTP/1.1 431 "));
}

TEST_F(HttpServerTest, ABodyIsNotReadAndEndsTheConnection) {
    start();
    EXPECT_THAT(client().send("GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nabc").receive(),
                testing::AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Connection: close"), EndsWith("answers\n")));
}

// Limits: http_head_time.
TEST_F(HttpServerTest, EndsSilentAndSlowClientsAfterTheirTime) {
    start({.head_time = milliseconds(50)});
    EXPECT_EQ(client().receive(), "");
    EXPECT_EQ(client().send("GET /metr").receive(), "");
    Client idle = client();
    EXPECT_THAT(idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").receive(), EndsWith("answers\n"));
}

// Limits: http_write_time.
TEST_F(HttpServerTest, EndsAClientThatDoesNotReadItsAnswers) {
    start({.write_time = milliseconds(50)});
    constexpr int kRequests = 200'000;
    std::string many;
    for (int i = 0; i < kRequests; ++i) many += "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    Client deaf = client();
    deaf.send(many);
    EXPECT_THAT(get("/healthz"), StartsWith("HTTP/1.1 200 "));
    const std::string got = deaf.receive();
    EXPECT_LT(got.size(), kRequests * std::string("HTTP/1.1 200 OK\r\n").size());
}

// Limits: http_clients.
TEST_F(HttpServerTest, ANewClientTakesThePlaceOfTheOldestThatKeepsItWaiting) {
    start({.connections = 3, .head_time = std::chrono::hours(1)});
    std::vector<Client> silent;
    for (int i = 0; i < 10; ++i) silent.push_back(client());
    EXPECT_THAT(get("/healthz"), StartsWith("HTTP/1.1 200 "));
    for (int i = 0; i < 8; ++i) EXPECT_EQ(silent[static_cast<std::size_t>(i)].receive(), "") << i;
}

TEST_F(HttpServerTest, SaysWhyItCannotListen) {
    start();
    asio::io_context other;
    const auto taken = HttpServer::listen(other, {*IpAddress::parse("127.0.0.1"), port_}, {});
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().message, HasSubstr("in use"));
    const auto foreign = HttpServer::listen(other, {*IpAddress::parse("192.0.2.1"), 0}, {});
    ASSERT_FALSE(foreign);
    EXPECT_THAT(foreign.error().hint, HasSubstr("--listen"));
}

TEST(Exporter, RefusesWhatIsNoAddress) {
    for (const char* odd : {"", "9464", "localhost:9464", "127.0.0.1", "127.0.0.1:99999", "/tmp/x"}) {
        const auto ended = run_exporter({.listen = odd, .socket = "/nonexistent"});
        ASSERT_FALSE(ended) << odd;
        EXPECT_EQ(ended.error().code, ErrorCode::usage) << odd;
    }
}

}  // namespace
}  // namespace umbra::metrics
