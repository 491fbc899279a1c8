#include "control/server.h"

#include <gtest/gtest.h>

#include <asio/post.hpp>
#include <thread>

#include "control/client.h"
#include "unit/control/socket_dir.h"

namespace umbra::control {
namespace {

using std::chrono::milliseconds;

// A server in a thread of its own that answers with what it was asked.
class ServerTest : public testing::Test {
protected:
    void start(milliseconds deadline = std::chrono::seconds(5)) {
        auto bound = Listener::bind(dir_.path(), std::nullopt);
        ASSERT_TRUE(bound) << bound.error().message;
        listener_.emplace(std::move(*bound));
        auto made = ControlServer::make(
            io_, *listener_,
            [](const Peer& peer, const Json& request) {
                if (request["verb"] == "fail") return Response::failure({ErrorCode::invalid_rules, "no", "a hint"});
                if (request["verb"] == "huge") return Response::success(std::string(65u << 20, 'x'));
                return Response::success({{"echo", request}, {"uid", peer.uid}, {"may_change", peer.may_change}});
            },
            {.readers = std::nullopt, .deadline = deadline});
        ASSERT_TRUE(made) << made.error().message;
        server_ = std::move(*made);
        thread_ = std::thread([this] { io_.run(); });
    }
    void TearDown() override {
        io_.stop();
        if (thread_.joinable()) thread_.join();
        server_.reset();
    }
    std::string path() const { return dir_.path(); }
    Json answer_to(RawClient& client) { return Json::parse(client.receive_all(), nullptr, false); }

    SocketDir dir_;
    std::optional<Listener> listener_;
    asio::io_context io_;
    std::unique_ptr<ControlServer> server_;
    std::thread thread_;
};

TEST_F(ServerTest, AnswersAndKnowsWhoAsks) {
    start();
    const auto response = ask(path(), {{"verb", "status"}, {"text", "ä\n"}});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_TRUE(response->ok);
    EXPECT_EQ(response->result["echo"]["text"], "ä\n");
    EXPECT_EQ(response->result["uid"], ::getuid());
    EXPECT_EQ(response->result["may_change"], true);
}

TEST_F(ServerTest, CarriesFailures) {
    start();
    const auto response = ask(path(), {{"verb", "fail"}});
    ASSERT_TRUE(response);
    EXPECT_FALSE(response->ok);
    EXPECT_EQ(response->code, ErrorCode::invalid_rules);
    EXPECT_EQ(response->error, "no");
    EXPECT_EQ(response->hint, "a hint");
}

// Limits: control_request.
TEST_F(ServerTest, CarriesRequestsUpToTheLimitAndRefusesLarger) {
    start();
    const std::string frame = encode(Json{{"verb", "v"}, {"text", ""}});
    const auto exact = ask(path(), {{"verb", "v"}, {"text", std::string(kMaxRequestBytes - frame.size(), 'x')}});
    ASSERT_TRUE(exact) << exact.error().message;
    EXPECT_TRUE(exact->ok);
    const auto larger = ask(path(), {{"verb", "v"}, {"text", std::string(kMaxRequestBytes, 'x')}});
    ASSERT_FALSE(larger);
    EXPECT_NE(larger.error().message.find("at most 1048576"), std::string::npos) << larger.error().message;
}

TEST_F(ServerTest, RefusesLengthsOutOfRange) {
    start();
    for (const auto& header : {std::string(4, '\0'), std::string(4, '\xff'), std::string("\0\x10\0\1", 4)}) {
        RawClient client(path());
        client.send(header);
        const Json answer = answer_to(client);
        ASSERT_TRUE(answer.is_object());
        EXPECT_EQ(answer["ok"], false);
        EXPECT_EQ(answer["code"], 2);
    }
}

TEST_F(ServerTest, RefusesWhatIsNoRequest) {
    start();
    const std::string deep = "{\"verb\":" + std::string(100000, '[') + std::string(100000, ']') + "}";
    for (const auto& body : {std::string("{"), std::string("[]"), std::string("\"x\""), std::string("{}"),
                             std::string("{\"verb\":7}"), std::string("\xff\xfe\0\0", 4), deep}) {
        RawClient client(path());
        client.send_frame(body);
        const Json answer = answer_to(client);
        ASSERT_TRUE(answer.is_object()) << body.substr(0, 20);
        EXPECT_EQ(answer["ok"], false) << body.substr(0, 20);
    }
    EXPECT_TRUE(ask(path(), {{"verb", "still here"}}));
}

// Limits: control_deadline.
TEST_F(ServerTest, HalfRequestsEndAtTheDeadlineAndBlockNobody) {
    start(milliseconds(300));
    RawClient silent(path()), header_only(path()), half(path());
    header_only.send(std::string("\0\0", 2));
    const auto header = frame_header(100);
    half.send(std::string(header.begin(), header.end()) + "{\"verb\"");
    EXPECT_TRUE(ask(path(), {{"verb", "meanwhile"}}));
    EXPECT_EQ(silent.receive_all(), "");
    EXPECT_EQ(header_only.receive_all(), "");
    EXPECT_EQ(half.receive_all(), "");
}

// Limits: control_clients.
TEST_F(ServerTest, TooManyClientsAreToldSoAndPlacesComeBack) {
    start();
    std::vector<std::unique_ptr<RawClient>> clients;
    for (std::size_t i = 0; i < kMaxClients; ++i) clients.push_back(std::make_unique<RawClient>(path()));
    const auto refused = ask(path(), {{"verb", "one more"}});
    ASSERT_TRUE(refused) << refused.error().message;
    EXPECT_FALSE(refused->ok);
    EXPECT_NE(refused->error.find("16 clients"), std::string::npos) << refused->error;
    clients.front()->send_frame("{\"verb\":\"v\"}");
    EXPECT_EQ(answer_to(*clients.front())["ok"], true);
    const auto served = ask(path(), {{"verb", "again"}});
    ASSERT_TRUE(served);
    EXPECT_TRUE(served->ok) << served->error;
}

TEST_F(ServerTest, ClientsThatVanishAreForgotten) {
    start();
    for (int i = 0; i < 200; ++i) {
        RawClient client(path());
        client.send_frame("{\"verb\":\"v\"}");
        client.close();
    }
    const auto served = ask(path(), {{"verb", "v"}});
    ASSERT_TRUE(served) << served.error().message;
}

// Limits: control_response.
TEST_F(ServerTest, ResponsesAboveTheLimitBecomeAnError) {
    start();
    const auto response = ask(path(), {{"verb", "huge"}});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_FALSE(response->ok);
}

}  // namespace
}  // namespace umbra::control
