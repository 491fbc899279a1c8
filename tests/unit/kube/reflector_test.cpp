#include "kube/reflector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace umbra::kube {
namespace {

class Recorder : public ReflectorSink {
public:
    void list_begins() override { log.push_back("begin"); }
    void put(const Json& object) override { log.push_back("put " + text_at(object, {"metadata", "name"})); }
    void removed(const Json& object) override { log.push_back("removed " + text_at(object, {"metadata", "name"})); }
    void list_ends() override { log.push_back("end"); }

    std::vector<std::string> log;
};

using Log = std::vector<std::string>;

ApiAnswer http(long status, std::string body = {}) {
    ApiAnswer answer;
    answer.status = status;
    answer.body = std::move(body);
    return answer;
}
ApiAnswer broken(const std::string& failure, long status = 0) {
    ApiAnswer answer = http(status);
    answer.failure = failure;
    return answer;
}
ApiAnswer cut() {
    ApiAnswer answer = http(200);
    answer.cut = true;
    return answer;
}
std::string page(const std::string& version, const std::string& names, const std::string& more = "") {
    std::string items;
    for (const char c : names)
        items += (items.empty() ? "" : ",") + std::string(R"({"metadata":{"name":")") + c + R"("}})";
    return R"({"metadata":{"resourceVersion":")" + version + R"(","continue":")" + more + R"("},"items":[)" + items +
           "]}";
}
std::string event(const std::string& type, const std::string& name, const std::string& version) {
    return R"({"type":")" + type + R"(","object":{"metadata":{"name":")" + name + R"(","resourceVersion":")" + version +
           R"("}}})";
}
std::string error_event(int code) {
    return R"({"type":"ERROR","object":{"kind":"Status","message":"told so","code":)" + std::to_string(code) + "}}";
}

// A reflector, its clock, and what it handed on.
struct World {
    explicit World(Scope scope = {&kPods, "web", {}, {}})
        : reflector(
              scope, timings(), [] { return 0.0; }, now) {}

    static ReflectorTimings timings() { return {}; }

    // What is asked now; an empty path when nothing is.
    Ask ask() { return reflector.due(now).value_or(Ask{}); }
    void answer(const ApiAnswer& answer) { reflector.finished(answer, sink, now); }
    void line(const std::string& text) { EXPECT_TRUE(reflector.line(text, sink, now)); }
    void last_line(const std::string& text) { EXPECT_FALSE(reflector.line(text, sink, now)); }
    void pass(TimeNs time) { now += time; }
    TimeNs pause() const { return reflector.wake_at() - now; }
    ReflectorState state() const { return reflector.health().state; }
    const std::string& message() const { return reflector.health().message; }

    // Listed, and the watch is open.
    void start_watching(const std::string& version = "10") {
        ask();
        answer(http(200, page(version, "a")));
        ask();
        reflector.opened(now);
        sink.log.clear();
    }

    TimeNs now = 1000 * kSecond;
    Recorder sink;
    Reflector reflector;
};

TEST(Reflector, ListsPageByPageThenWatchesFromTheListsVersion) {
    World world;
    EXPECT_EQ(world.ask().path, "/api/v1/namespaces/web/pods?limit=500");
    EXPECT_EQ(world.ask().path, "") << "one request at a time";
    world.answer(http(200, page("7", "ab", "more&")));
    EXPECT_FALSE(world.reflector.settled());
    EXPECT_EQ(world.ask().path, "/api/v1/namespaces/web/pods?limit=500&continue=more%26");
    world.answer(http(200, page("7", "c")));
    EXPECT_EQ(world.sink.log, (Log{"begin", "put a", "put b", "put c", "end"}));
    EXPECT_TRUE(world.reflector.settled());
    const Ask ask = world.ask();
    EXPECT_TRUE(ask.watch);
    EXPECT_EQ(ask.watch_seconds, 240u);
    EXPECT_EQ(ask.path,
              "/api/v1/namespaces/web/pods?watch=1&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=240");
    EXPECT_EQ(world.state(), ReflectorState::listing);
    world.reflector.opened(world.now);
    EXPECT_EQ(world.state(), ReflectorState::watching);
}

TEST(Reflector, SelectorsAreInEveryRequest) {
    World world({&kPods, {}, "spec.nodeName=n 1", {}});
    EXPECT_EQ(world.ask().path, "/api/v1/pods?limit=500&fieldSelector=spec.nodeName%3Dn%201");
    world.answer(http(200, page("7", "")));
    EXPECT_NE(world.ask().path.find("&fieldSelector=spec.nodeName%3Dn%201"), std::string::npos);
}

TEST(Reflector, EventsMoveTheVersionThatTheNextWatchBeginsWith) {
    World world;
    world.start_watching();
    world.line(event("ADDED", "b", "11"));
    world.line(event("MODIFIED", "a", "12"));
    world.line(event("DELETED", "a", "13"));
    world.line(event("BOOKMARK", "", "20"));
    EXPECT_EQ(world.sink.log, (Log{"put b", "put a", "removed a"}));
    world.answer(http(200));
    EXPECT_NE(world.ask().path.find("resourceVersion=20&"), std::string::npos);
}

TEST(Reflector, AnExpiredVersionInsideA200ListsAgain) {
    World world;
    world.start_watching();
    world.last_line(error_event(410));
    world.answer(cut());
    EXPECT_EQ(world.pause(), 50 * kMillisecond);
    world.pass(50 * kMillisecond);
    EXPECT_EQ(world.ask().path, "/api/v1/namespaces/web/pods?limit=500");
    world.answer(http(200, page("30", "z")));
    EXPECT_EQ(world.sink.log, (Log{"begin", "put z", "end"}));
}

TEST(Reflector, AnotherErrorInsideA200WatchesAgainLater) {
    World world;
    world.start_watching();
    world.last_line(error_event(500));
    world.answer(cut());
    EXPECT_EQ(world.state(), ReflectorState::failing);
    EXPECT_EQ(world.message(), "watch, pods in namespace web: the server ended it with code 500: told so");
    EXPECT_EQ(world.ask().path, "");
    world.pass(world.pause());
    EXPECT_NE(world.ask().path.find("watch=1&allowWatchBookmarks=true&resourceVersion=10&"), std::string::npos);
    world.reflector.opened(world.now);
    EXPECT_EQ(world.message(), "");
}

TEST(Reflector, A410OfAWatchOrAPageListsFromTheStart) {
    World world;
    world.ask();
    world.answer(http(200, page("7", "a", "next")));
    world.ask();
    world.answer(http(410));
    world.pass(world.pause());
    EXPECT_EQ(world.ask().path, "/api/v1/namespaces/web/pods?limit=500");
    world.answer(http(200, page("8", "a")));
    world.ask();
    world.answer(http(410));
    world.pass(world.pause());
    EXPECT_EQ(world.ask().path, "/api/v1/namespaces/web/pods?limit=500");
}

TEST(Reflector, GarbageInAWatchListsAgain) {
    for (const std::string bad : {"}{", R"({"type":"ADDED"})", R"({"type":"NEWS","object":{}})", R"([])",
                                  R"({"type":"ADDED","object":{"metadata":{"name":"a"}}})"}) {
        World world;
        world.start_watching();
        world.last_line(bad);
        world.answer(cut());
        EXPECT_EQ(world.state(), ReflectorState::failing) << bad;
        world.pass(world.pause());
        EXPECT_FALSE(world.ask().watch) << bad;
        EXPECT_TRUE(world.sink.log.empty()) << bad;
    }
}

TEST(Reflector, AnEventAboveItsLimitListsAgain) {
    World world;
    world.start_watching();
    ApiAnswer answer = broken("an event above its limit of bytes", 200);
    answer.too_large = true;
    world.answer(answer);
    world.pass(world.pause());
    EXPECT_FALSE(world.ask().watch);
}

TEST(Reflector, ASilentWatchResumesOnAFreshConnection) {
    World world;
    world.start_watching();
    world.line(event("ADDED", "b", "15"));
    ApiAnswer silent = broken("the server was silent", 200);
    silent.silent = true;
    world.answer(silent);
    EXPECT_EQ(world.message(), "watch, pods in namespace web: the server was silent");
    world.pass(world.pause());
    const Ask ask = world.ask();
    EXPECT_TRUE(ask.fresh_connection);
    EXPECT_NE(ask.path.find("resourceVersion=15&"), std::string::npos);
    world.answer(broken("transfer closed", 200));
    world.pass(world.pause());
    EXPECT_FALSE(world.ask().fresh_connection) << "libcurl knows that the connection is gone";
}

TEST(Reflector, AWatchThatLastedIsTriedAgainSoon) {
    World world;
    for (int i = 0; i < 6; ++i) {
        world.ask();
        world.answer(broken("connection refused"));
        world.pass(world.pause());
    }
    world.start_watching();
    world.pass(60 * kSecond);
    world.answer(broken("transfer closed", 200));
    EXPECT_EQ(world.pause(), 50 * kMillisecond);
}

TEST(Reflector, PausesDoubleUpToTheLongestAndStartAnewAfterAnEvent) {
    World world;
    std::vector<TimeNs> pauses;
    for (int i = 0; i < 11; ++i) {
        world.ask();
        world.answer(broken("connection refused"));
        pauses.push_back(world.pause() / kMillisecond);
        world.pass(world.pause());
    }
    EXPECT_EQ(pauses, (std::vector<TimeNs>{50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000}));
    world.start_watching();
    world.line(event("ADDED", "b", "15"));
    world.answer(broken("transfer closed", 200));
    EXPECT_EQ(world.pause(), 50 * kMillisecond);
}

TEST(Reflector, JitterIsAtMostThePause) {
    Backoff backoff(100, 400);
    EXPECT_EQ(backoff.next([] { return 0.0; }), 50u);
    EXPECT_EQ(backoff.next([] { return 0.5; }), 150u);
    EXPECT_LE(backoff.next([] { return 0.999; }), 400u);
    backoff.reset();
    EXPECT_EQ(backoff.next([] { return 0.0; }), 50u);
}

TEST(Reflector, AWatchThatEndsAtOnceDoesNotSpin) {
    World world;
    world.start_watching();
    world.answer(http(200));
    EXPECT_EQ(world.ask().path, "");
    EXPECT_EQ(world.pause(), 50 * kMillisecond);
    world.pass(world.pause());
    world.ask();
    world.pass(240 * kSecond);
    world.answer(http(200));
    EXPECT_EQ(world.pause(), 0u) << "a watch that lasted is followed at once";
}

TEST(Reflector, A401IsTriedOnceMoreAtOnce) {
    World world;
    world.ask();
    world.answer(http(401));
    EXPECT_EQ(world.state(), ReflectorState::listing);
    EXPECT_NE(world.ask().path, "") << "the token may be a new one";
    world.answer(http(401, R"({"message":"Unauthorized"})"));
    EXPECT_EQ(world.state(), ReflectorState::unauthorized);
    EXPECT_EQ(world.message(), "list, pods in namespace web: not authorized: Unauthorized");
    EXPECT_EQ(world.ask().path, "");
    EXPECT_FALSE(world.reflector.settled());
    world.pass(world.pause());
    world.ask();
    world.answer(http(200, page("7", "a")));
    EXPECT_EQ(world.message(), "");
}

TEST(Reflector, ForbiddenNamesVerbAndResourceAndIsBelievedTheSecondTime) {
    World world;
    world.ask();
    world.answer(http(403, R"({"message":"pods is forbidden"})"));
    EXPECT_EQ(world.state(), ReflectorState::forbidden);
    EXPECT_EQ(world.message(),
              "list, pods in namespace web: forbidden; grant the verb 'list' on pods: pods is forbidden");
    EXPECT_FALSE(world.reflector.settled());
    EXPECT_EQ(world.pause(), kSecond);
    world.pass(kSecond);
    world.ask();
    world.answer(http(403));
    EXPECT_TRUE(world.reflector.settled());
    EXPECT_EQ(world.pause(), 30 * kSecond);
}

TEST(Reflector, AForbiddenWatchIsReplacedByListsNowAndThen) {
    World world;
    for (int i = 0; i < 3; ++i) {
        world.ask();
        world.answer(http(200, page("7", "a")));
        EXPECT_TRUE(world.ask().watch);
        world.answer(http(403));
        EXPECT_EQ(world.state(), ReflectorState::forbidden);
        EXPECT_NE(world.message().find("grant the verb 'watch' on pods"), std::string::npos) << world.message();
        EXPECT_EQ(world.pause(), i == 0 ? kSecond : 30 * kSecond);
        world.pass(world.pause());
    }
}

TEST(Reflector, AbsentAfterAllVersionsTwice) {
    World world({&kServiceEntries, {}, {}, {}});
    for (const int round : {1, 2}) {
        EXPECT_EQ(world.ask().path, "/apis/networking.istio.io/v1/serviceentries?limit=500");
        world.answer(http(404));
        EXPECT_EQ(world.ask().path, "/apis/networking.istio.io/v1beta1/serviceentries?limit=500");
        world.answer(http(404));
        EXPECT_EQ(world.ask().path, "/apis/networking.istio.io/v1alpha3/serviceentries?limit=500");
        EXPECT_FALSE(world.reflector.settled());
        world.answer(http(404));
        EXPECT_EQ(world.state(), ReflectorState::absent);
        EXPECT_EQ(world.message(), "the API has no serviceentries");
        EXPECT_EQ(world.pause(), round == 1 ? kSecond : 15 * kSecond);
        world.pass(world.pause());
    }
    EXPECT_TRUE(world.reflector.settled());
    EXPECT_EQ(world.sink.log, (Log{"begin", "end"}));
    world.ask();
    world.answer(http(200, page("3", "a")));
    EXPECT_EQ(world.state(), ReflectorState::listing);
    EXPECT_EQ(world.message(), "");
}

TEST(Reflector, AnAPIThatIsStillStartingDoesNotEmptyThePicture) {
    World world({&kRouteRules, {}, {}, {}});
    world.start_watching();
    world.answer(http(404));
    world.pass(world.pause());
    world.ask();
    world.answer(http(200, page("11", "a")));
    EXPECT_EQ(world.sink.log, (Log{"begin", "put a", "end"}));
}

TEST(Reflector, UsesTheVersionThatTheAPIHas) {
    World world({&kEndpointSlices, "web", {}, {}});
    world.ask();
    world.answer(http(404));
    EXPECT_EQ(world.ask().path, "/apis/discovery.k8s.io/v1beta1/namespaces/web/endpointslices?limit=500");
    world.answer(http(200, page("3", "a")));
    EXPECT_EQ(world.reflector.version(), 1u);
    EXPECT_EQ(world.ask().path.find("/apis/discovery.k8s.io/v1beta1/namespaces/web/endpointslices?watch=1"), 0u);
}

TEST(Reflector, RetryAfterIsHonoured) {
    for (const long status : {429L, 503L}) {
        World world;
        world.ask();
        ApiAnswer answer = http(status);
        answer.retry_after = 7 * kSecond;
        world.answer(answer);
        EXPECT_EQ(world.pause(), 7 * kSecond);
        EXPECT_EQ(world.state(), ReflectorState::failing);
    }
}

TEST(Reflector, ServerErrorsKeepThePlaceAndOtherRefusalsListAgain) {
    World world;
    world.start_watching();
    world.answer(http(500, R"({"message":"etcd is away"})"));
    EXPECT_EQ(world.message(), "watch, pods in namespace web: HTTP 500: etcd is away");
    world.pass(world.pause());
    EXPECT_TRUE(world.ask().watch);
    world.answer(http(400));
    world.pass(world.pause());
    EXPECT_FALSE(world.ask().watch);
}

TEST(Reflector, AnAnswerThatIsNoListIsTrouble) {
    for (const std::string body : {"", "<html>", "{}", R"({"metadata":{}})"}) {
        World world;
        world.ask();
        world.answer(http(200, body));
        EXPECT_EQ(world.state(), ReflectorState::failing) << body;
        EXPECT_TRUE(world.sink.log.empty());
        EXPECT_GT(world.pause(), 0u);
    }
}

TEST(Reflector, AListWithNullItemsIsEmpty) {
    World world;
    world.ask();
    world.answer(http(200, R"({"metadata":{"resourceVersion":"5"},"items":null})"));
    EXPECT_EQ(world.sink.log, (Log{"begin", "end"}));
    EXPECT_TRUE(world.reflector.settled());
}

}  // namespace
}  // namespace umbra::kube
