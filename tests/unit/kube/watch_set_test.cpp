#include "kube/watch_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "unit/kube/fake_api.h"

namespace umbra::kube {
namespace {

class Recorder : public WatchReceiver {
public:
    void list_begins(const WatchSource&) override {}
    void put(const WatchSource& source, const Json& object) override {
        log.push_back("put " + source.scope->ns + " " + text_at(object, {"metadata", "name"}));
    }
    void removed(const WatchSource&, const Json&) override {}
    void list_ends(const WatchSource& source) override { log.push_back("end " + source.scope->ns); }
    void dropped(const WatchSource& source) override { log.push_back("dropped " + source.scope->ns); }

    std::vector<std::string> log;
};

bool is_watch(const HttpRequest& request) { return request.line.find("watch=1") != std::string::npos; }

const std::string kList = R"({"metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"a"}}]})";

struct World {
    explicit World(FakeApi& api) {
        ClusterConfig config;
        config.server = api.url();
        client = std::move(*ApiClient::make(config));
        set = std::make_unique<WatchSet>(*client, recorder, WatchOptions{}, [] { return 0.0; });
    }
    void step() {
        const TimeNs now = monotonic_now();
        set->want(scopes, now);
        set->step(now);
        std::vector<pollfd> none;
        client->wait(none, 10 * kMillisecond);
        client->step(monotonic_now());
    }
    // A test that waits in vain fails.
    template <class Condition>
    void until(Condition condition) {
        for (const TimeNs end = monotonic_now() + 30 * kSecond; !condition() && monotonic_now() < end;) step();
        EXPECT_TRUE(condition());
    }
    bool logged(const std::string& line) const { return std::ranges::find(recorder.log, line) != recorder.log.end(); }

    Recorder recorder;
    std::unique_ptr<ApiClient> client;
    std::unique_ptr<WatchSet> set;
    std::set<Scope> scopes;
};

TEST(WatchSet, ListsThenWatchesAndSaysSo) {
    FakeApi api([](const HttpRequest& request, int fd) {
        FakeApi::send(fd, is_watch(request) ? FakeApi::chunked_head() : FakeApi::response(200, kList));
        return true;
    });
    World world(api);
    world.scopes = {{&kPods, "web", {}, {}}};
    const auto state = [&] { return text_at(world.set->health(Picture({}), 0)[0], {"state"}); };
    world.step();
    EXPECT_FALSE(world.set->settled());
    world.until([&] { return state() == "watching"; });
    EXPECT_TRUE(world.set->settled());
    EXPECT_EQ(world.recorder.log, (std::vector<std::string>{"put web a", "end web"}));
    const Json health = world.set->health(Picture({}), 0)[0];
    EXPECT_EQ(text_at(health, {"resource"}), "pods");
    EXPECT_EQ(text_at(health, {"scope"}), "namespace web");
    EXPECT_EQ(number_at(health, {"lists"}), 1);
    EXPECT_EQ(number_at(health, {"watches"}), 1);
}

TEST(WatchSet, WhatIsReplacedStaysUntilItsReplacementIsComplete) {
    std::atomic<bool> cluster_answers{false};
    FakeApi api([&](const HttpRequest& request, int fd) {
        const bool cluster = request.line.starts_with("GET /api/v1/services?");
        if (is_watch(request)) {
            FakeApi::send(fd, FakeApi::chunked_head());
        } else if (cluster && !cluster_answers) {
            FakeApi::send(fd, FakeApi::response(500, "{}"));
        } else {
            FakeApi::send(fd, FakeApi::response(200, kList));
        }
        return true;
    });
    World world(api);
    world.scopes = {{&kServices, "web", {}, {}}};
    world.until([&] { return world.logged("end web"); });
    world.scopes = {{&kServices, {}, {}, {}}};
    const auto errors = [&] { return number_at(world.set->health(Picture({}), 0)[0], {"errors"}); };
    world.until([&] { return errors() >= 2; });
    EXPECT_FALSE(world.logged("dropped web"));
    cluster_answers = true;
    world.until([&] { return world.logged("dropped web"); });
    const auto at = [&](const std::string& line) { return std::ranges::find(world.recorder.log, line); };
    EXPECT_LT(at("end "), at("dropped web"));
    world.scopes = {};
    world.step();
    EXPECT_TRUE(world.logged("dropped ")) << "what nothing replaces goes at once";
    EXPECT_EQ(world.client->under_way(), 0u);
}

TEST(WatchSet, SoManyListsAtOnceAndNoMore) {
    std::atomic<int> waiting{0}, most{0};
    std::atomic<bool> answer{false};
    FakeApi api([&](const HttpRequest& request, int fd) {
        if (is_watch(request)) {
            FakeApi::send(fd, FakeApi::chunked_head());
            return true;
        }
        most = std::max<int>(most, ++waiting);
        while (!answer) std::this_thread::yield();
        --waiting;
        FakeApi::send(fd, FakeApi::response(200, kList));
        return true;
    });
    World world(api);
    for (int i = 0; i < 12; ++i) world.scopes.insert({&kPods, "ns" + std::to_string(i), {}, {}});
    world.until([&] { return waiting == 4; });
    EXPECT_EQ(world.client->under_way(), 4u);
    answer = true;
    world.until([&] { return world.set->settled(); });
    EXPECT_EQ(most, 4);
}

}  // namespace
}  // namespace umbra::kube
