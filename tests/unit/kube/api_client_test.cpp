#include "kube/api_client.h"

#include <gtest/gtest.h>

#include <fstream>

#include "kube/json_text.h"
#include "unit/kube/fake_api.h"

namespace umbra::kube {
namespace {

struct Client {
    explicit Client(const std::string& server) {
        ClusterConfig config;
        config.server = server;
        config.token = "secret-token";
        client = std::move(*ApiClient::make(config));
    }
    explicit Client(const ClusterConfig& config) : client(std::move(*ApiClient::make(config))) {}

    ApiReceiver receiver() {
        return {[this] { ++opened; },
                [this](std::string_view line) {
                    lines.emplace_back(line);
                    return lines.size() != stop_after;
                },
                [this](const ApiAnswer& given) { answer = given; }};
    }
    void step() {
        std::vector<pollfd> none;
        client->wait(none, 20 * kMillisecond);
        client->step(monotonic_now());
    }
    // The answer; a test that waits in vain fails.
    ApiAnswer run(ApiRequest request) {
        answer.reset();
        client->start(std::move(request), receiver());
        for (const TimeNs until = monotonic_now() + 30 * kSecond; !answer && monotonic_now() < until;) step();
        EXPECT_TRUE(answer) << "no answer";
        return answer.value_or(ApiAnswer{});
    }

    std::unique_ptr<ApiClient> client;
    std::optional<ApiAnswer> answer;
    std::vector<std::string> lines;
    std::size_t stop_after = 0;
    int opened = 0;
};

ApiRequest get(const std::string& path) {
    ApiRequest request;
    request.path = path;
    return request;
}
ApiRequest stream(const std::string& path) {
    ApiRequest request = get(path);
    request.stream = true;
    return request;
}

TEST(ApiClient, SendsTheTokenOfTheMomentAndKeepsTheConnection) {
    std::mutex mutex;
    std::vector<HttpRequest> seen;
    FakeApi api([&](const HttpRequest& request, int fd) {
        const std::lock_guard lock(mutex);
        seen.push_back(request);
        FakeApi::send(fd, FakeApi::response(200, "hello"));
        return true;
    });
    const std::string file = ::testing::TempDir() + "umbra-token-" + std::to_string(::getpid());
    std::ofstream(file) << "first";
    ClusterConfig config;
    config.server = api.url();
    config.token_file = file;
    Client client(config);
    EXPECT_EQ(client.run(get("/a?b=c")).body, "hello");
    std::ofstream(file) << "second\n";
    EXPECT_EQ(client.run(get("/d")).status, 200);
    std::remove(file.c_str());
    const ApiAnswer without = client.run(get("/e"));
    EXPECT_EQ(without.status, 0);
    EXPECT_NE(without.failure.find("read, token"), std::string::npos) << without.failure;
    const std::lock_guard lock(mutex);
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].line, "GET /a?b=c HTTP/1.1");
    EXPECT_NE(seen[0].headers.find("Authorization: Bearer first\r\n"), std::string::npos);
    EXPECT_NE(seen[1].headers.find("Authorization: Bearer second\r\n"), std::string::npos);
    EXPECT_EQ(seen[1].connection, 1);
    EXPECT_EQ(client.client->requests(), 3u);
    EXPECT_EQ(client.client->failures(), 1u);
}

TEST(ApiClient, PatchesWithItsContentType) {
    std::mutex mutex;
    HttpRequest seen;
    FakeApi api([&](const HttpRequest& request, int fd) {
        const std::lock_guard lock(mutex);
        seen = request;
        FakeApi::send(fd, FakeApi::response(200, "{}"));
        return true;
    });
    Client client(api.url());
    ApiRequest request = get("/x");
    request.method = "PATCH";
    request.body = R"({"status":{}})";
    request.content_type = "application/merge-patch+json";
    EXPECT_EQ(client.run(request).status, 200);
    const std::lock_guard lock(mutex);
    EXPECT_EQ(seen.line, "PATCH /x HTTP/1.1");
    EXPECT_EQ(seen.body, R"({"status":{}})");
    EXPECT_NE(seen.headers.find("Content-Type: application/merge-patch+json\r\n"), std::string::npos);
}

TEST(ApiClient, HandsOnTheLinesOfAStreamHoweverTheyAreCut) {
    FakeApi api([&](const HttpRequest&, int fd) {
        FakeApi::send(fd, FakeApi::chunked_head() + FakeApi::chunk("on") + FakeApi::chunk("e\n\ntwo\nth") +
                              FakeApi::chunk("ree\n") + FakeApi::chunk("never ended") + "0\r\n\r\n");
        return true;
    });
    Client client(api.url());
    const ApiAnswer answer = client.run(stream("/watch"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.complete()) << answer.failure;
    EXPECT_EQ(client.opened, 1);
    EXPECT_EQ(client.lines, (std::vector<std::string>{"one", "two", "three"}));
}

TEST(ApiClient, TheReceiverEndsAStream) {
    FakeApi api([&](const HttpRequest&, int fd) {
        FakeApi::send(fd, FakeApi::chunked_head() + FakeApi::chunk("one\ntwo\nthree\n"));
        return true;
    });
    Client client(api.url());
    client.stop_after = 2;
    const ApiAnswer answer = client.run(stream("/watch"));
    EXPECT_TRUE(answer.cut);
    EXPECT_TRUE(answer.complete());
    EXPECT_EQ(client.lines.size(), 2u);
}

TEST(ApiClient, AStreamThatBreaksSaysWhy) {
    FakeApi api([&](const HttpRequest&, int fd) {
        FakeApi::send(fd, FakeApi::chunked_head() + FakeApi::chunk("one\n"));
        return false;
    });
    Client client(api.url());
    const ApiAnswer answer = client.run(stream("/watch"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_FALSE(answer.complete());
    EXPECT_FALSE(answer.cut);
    EXPECT_EQ(client.lines.size(), 1u);
}

TEST(ApiClient, ASilentStreamIsFound) {
    FakeApi api([&](const HttpRequest&, int fd) {
        FakeApi::send(fd, FakeApi::chunked_head() + FakeApi::chunk("one\n"));
        return true;
    });
    Client client(api.url());
    ApiRequest request = stream("/watch");
    request.patience = kSecond;
    const ApiAnswer answer = client.run(request);
    EXPECT_EQ(answer.failure, "the server was silent for more than 1 s");
    EXPECT_EQ(client.lines.size(), 1u);
    EXPECT_EQ(client.client->under_way(), 0u);
}

// Limits: api_patience.
TEST(ApiClient, AnAnswerThatNeverComesIsFound) {
    FakeApi api([&](const HttpRequest&, int) { return true; });
    Client client(api.url());
    ApiRequest request = get("/list");
    request.patience = kSecond;
    const ApiAnswer answer = client.run(request);
    EXPECT_EQ(answer.status, 0);
    EXPECT_TRUE(answer.silent);
    EXPECT_EQ(answer.failure, "the server was silent for more than 1 s");
}

// Limits: api_body, api_line.
TEST(ApiClient, BodiesAndLinesAreBounded) {
    FakeApi api([&](const HttpRequest& request, int fd) {
        const std::string much(5000, 'x');
        FakeApi::send(fd, request.line.find("/watch") != std::string::npos
                              ? FakeApi::chunked_head() + FakeApi::chunk("fits\n" + much)
                              : FakeApi::response(200, much));
        return true;
    });
    Client client(api.url());
    ApiRequest list = get("/list");
    list.most_body = 4999;
    ApiAnswer answer = client.run(list);
    EXPECT_TRUE(answer.too_large);
    EXPECT_EQ(answer.failure, "an answer above its limit of bytes");
    list.most_body = 5000;
    EXPECT_EQ(client.run(list).body.size(), 5000u);
    ApiRequest watch = stream("/watch");
    watch.most_line = 4999;
    answer = client.run(watch);
    EXPECT_TRUE(answer.too_large);
    EXPECT_FALSE(answer.cut);
    EXPECT_EQ(client.lines, (std::vector<std::string>{"fits"}));
}

TEST(ApiClient, ARefusedStreamHasItsBodyAndOpensNothing) {
    FakeApi api([&](const HttpRequest&, int fd) {
        FakeApi::send(fd, FakeApi::response(403, R"({"message":"no"})"));
        return true;
    });
    Client client(api.url());
    const ApiAnswer answer = client.run(stream("/watch"));
    EXPECT_EQ(answer.status, 403);
    EXPECT_EQ(status_message(answer.body), "no");
    EXPECT_EQ(client.opened, 0);
    EXPECT_TRUE(client.lines.empty());
}

TEST(ApiClient, RedirectsAreNotFollowedAndRetryAfterIsRead) {
    FakeApi api([&](const HttpRequest& request, int fd) {
        const bool busy = request.line.find("/busy") != std::string::npos;
        FakeApi::send(fd, busy ? FakeApi::response(429, "", "Retry-After: 7\r\n")
                               : FakeApi::response(302, "", "Location: /elsewhere\r\n"));
        return true;
    });
    Client client(api.url());
    EXPECT_EQ(client.run(get("/moved")).status, 302);
    const ApiAnswer busy = client.run(get("/busy"));
    EXPECT_EQ(busy.status, 429);
    EXPECT_EQ(busy.retry_after.value_or(0), 7 * kSecond);
}

TEST(ApiClient, AFreshConnectionIsANewOne) {
    std::mutex mutex;
    std::vector<int> connections;
    FakeApi api([&](const HttpRequest& request, int fd) {
        const std::lock_guard lock(mutex);
        connections.push_back(request.connection);
        FakeApi::send(fd, FakeApi::response(200, ""));
        return true;
    });
    Client client(api.url());
    client.run(get("/a"));
    ApiRequest fresh = get("/b");
    fresh.fresh_connection = true;
    client.run(fresh);
    const std::lock_guard lock(mutex);
    EXPECT_EQ(connections, (std::vector<int>{1, 2}));
}

TEST(ApiClient, NobodyListensIsAFailureWithoutTheToken) {
    std::string url;
    {
        url = FakeApi([](const HttpRequest&, int) { return false; }).url();
    }
    Client client(url);
    const ApiAnswer answer = client.run(get("/a"));
    EXPECT_EQ(answer.status, 0);
    EXPECT_FALSE(answer.failure.empty());
    EXPECT_EQ(answer.failure.find("secret-token"), std::string::npos);
}

TEST(ApiClient, ACancelledRequestIsNeverHeardOf) {
    FakeApi api([&](const HttpRequest& request, int fd) {
        if (request.line.find("/other") != std::string::npos) FakeApi::send(fd, FakeApi::response(200, ""));
        return true;
    });
    Client client(api.url());
    bool called = false;
    const auto id = client.client->start(get("/never"), {nullptr, nullptr, [&](const ApiAnswer&) { called = true; }});
    client.step();
    client.client->cancel(id);
    client.run(get("/other"));
    EXPECT_FALSE(called);
    EXPECT_EQ(client.client->under_way(), 0u);
}

}  // namespace
}  // namespace umbra::kube
