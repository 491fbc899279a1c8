#include "kube/picture.h"

#include <gtest/gtest.h>

#include "kube/feed_session.h"
#include "kube/feed_writer.h"
#include "kube/frame_reader.h"
#include "kube/json_text.h"

namespace umbra::kube {
namespace {

ObjectName pod(const std::string& name) { return {"Pod", "web", name}; }

Changes read(const std::string& frame) {
    FrameReader reader;
    reader.add(frame);
    const auto text = reader.next();
    EXPECT_TRUE(text);
    const auto json = parse_json(text.value_or(""));
    EXPECT_TRUE(json);
    auto changes = changes_from(json ? json->value("changes", Json()) : Json());
    EXPECT_TRUE(changes) << changes.error().message;
    return changes ? *changes : Changes{};
}

Picture::Part all(Picture& picture) { return picture.take(1000, 1u << 20); }

TEST(Picture, OnlyDifferencesComeOut) {
    Picture picture({});
    picture.put(1, pod("a"), "A", 1);
    EXPECT_EQ(all(picture).objects, (std::vector<std::string>{"A"}));
    picture.put(1, pod("a"), "A", 2);
    EXPECT_FALSE(picture.pending());
    picture.put(1, pod("a"), "A2", 3);
    picture.remove(1, pod("b"));
    EXPECT_EQ(all(picture).objects, (std::vector<std::string>{"A2"}));
    picture.remove(1, pod("a"));
    EXPECT_EQ(all(picture).deleted, (std::vector<ObjectName>{pod("a")}));
    EXPECT_EQ(picture.objects(), 0u);
    EXPECT_EQ(picture.bytes(), 0u);
}

TEST(Picture, AListIsSwappedInByDifference) {
    Picture picture({});
    for (const char* name : {"a", "b", "c"}) picture.put(1, pod(name), name, 1);
    all(picture);
    picture.list_begins(1);
    picture.put(1, pod("b"), "b", 5);
    picture.put(1, pod("c"), "c2", 6);
    picture.list_ends(1);
    const auto part = all(picture);
    EXPECT_EQ(part.objects, (std::vector<std::string>{"c2"}));
    EXPECT_EQ(part.deleted, (std::vector<ObjectName>{pod("a")}));
}

TEST(Picture, AnObjectStaysWhileOneWatchSeesIt) {
    Picture picture({});
    picture.put(1, pod("a"), "A", 1);
    picture.put(2, pod("a"), "A", 1);
    all(picture);
    picture.remove(1, pod("a"));
    EXPECT_FALSE(picture.pending());
    picture.drop(2);
    EXPECT_EQ(all(picture).deleted, (std::vector<ObjectName>{pod("a")}));
}

TEST(Picture, TheSlowerOfTwoWatchesDoesNotTurnAnObjectBack) {
    Picture picture({});
    picture.put(1, pod("a"), "old", 4);
    picture.put(2, pod("a"), "new", 5);
    picture.put(1, pod("a"), "old", 4);
    EXPECT_EQ(all(picture).objects, (std::vector<std::string>{"new"}));
    // A watch alone is believed: a restored etcd counts from a lower number.
    picture.drop(2);
    picture.put(1, pod("a"), "restored", 2);
    EXPECT_EQ(all(picture).objects, (std::vector<std::string>{"restored"}));
}

// Limits: cluster_objects.
TEST(Picture, PastItsLimitsNewObjectsAreLeftOutAndCounted) {
    PictureLimits limits;
    limits.objects = 2;
    Picture picture(limits);
    for (const char* name : {"a", "b", "c"}) picture.put(1, pod(name), name, 1);
    EXPECT_EQ(picture.objects(), 2u);
    EXPECT_EQ(picture.left_out(1), 1u);
    EXPECT_EQ(picture.complaint(1), "1 objects left out: the picture is full (2 objects, 128 MiB)");
    picture.list_begins(1);
    EXPECT_EQ(picture.complaint(1), "");
}

// Limits: cluster_bytes.
TEST(Picture, PastItsBytesNothingGrows) {
    PictureLimits limits;
    limits.bytes = 1000;
    Picture picture(limits);
    picture.put(1, pod("a"), std::string(500, 'a'), 1);
    picture.put(1, pod("b"), std::string(500, 'b'), 1);
    EXPECT_EQ(picture.left_out(1), 1u);
    EXPECT_LE(picture.bytes(), 1000u);
}

// Limits: cluster_object_bytes.
TEST(Picture, ATooLargeStateTakesTheOldOneAway) {
    PictureLimits limits;
    limits.object_bytes = 10;
    Picture picture(limits);
    picture.put(1, pod("a"), "small", 1);
    all(picture);
    picture.put(1, pod("a"), "much too large", 2);
    EXPECT_EQ(all(picture).deleted, (std::vector<ObjectName>{pod("a")}));
    EXPECT_EQ(picture.complaint(1), "1 objects above 10 bytes left out, the last is Pod web/a");
}

TEST(Picture, PartsAreBoundedInObjectsAndBytes) {
    Picture picture({});
    for (const char* name : {"a", "b", "c"}) picture.put(1, pod(name), std::string(100, name[0]), 1);
    EXPECT_EQ(picture.take(2, 1000).objects.size(), 2u);
    EXPECT_TRUE(picture.pending());
    picture.resend_all();
    EXPECT_EQ(picture.take(1000, 150).objects.size(), 1u);
    EXPECT_EQ(picture.take(1000, 1).objects.size(), 1u) << "one goes out in any case";
}

TEST(FeedWriter, WritesWhatTheLoaderReads) {
    Picture::Part part{{R"({"kind":"Pod"})", R"({"kind":"Service"})"}, {pod("gone")}};
    const Changes changes = read(changes_frame(part, true, false, {{"node", "n"}}));
    EXPECT_TRUE(changes.reset);
    EXPECT_FALSE(changes.synced);
    ASSERT_EQ(changes.objects.size(), 2u);
    EXPECT_EQ(changes.objects[1], Json::parse(R"({"kind":"Service"})"));
    EXPECT_EQ(changes.deleted, (std::vector<ObjectName>{pod("gone")}));
    EXPECT_EQ(changes.health, Json::parse(R"({"node":"n"})"));
    EXPECT_TRUE(read(changes_frame({}, false, true, Json())).health.is_null());
}

// Limits: feed_frame.
TEST(FrameReader, TakesFramesApartAndRefusesLongOnes) {
    FrameReader reader;
    const std::string two = frame("demand", Json::object()) + frame("report", Json::object());
    for (const char c : two.substr(0, two.size() - 1)) reader.add({&c, 1});
    EXPECT_EQ(reader.next().value_or(""), R"({"demand":{}})");
    EXPECT_FALSE(reader.next());
    reader.add(two.substr(two.size() - 1));
    EXPECT_EQ(reader.next().value_or(""), R"({"report":{}})");
    EXPECT_FALSE(reader.broken());
    reader.add(std::string("\x7f\0\0\0", 4));
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(reader.broken());
}

struct SessionWorld {
    Picture picture{{}};
    FeedSession session{picture, {}};
    TimeNs now = 100 * kSecond;
    bool settled = false;
    Json health{{"requests", 1}};

    std::optional<Changes> next() {
        const auto frame = session.next(
            settled, [this] { return health; }, now);
        if (!frame) return std::nullopt;
        return read(*frame);
    }
};

TEST(FeedSession, BeginsWithResetAndIsSyncedWhenAllIsThere) {
    SessionWorld world;
    world.picture.put(1, pod("a"), R"({"n":1})", 1);
    world.session.begin(world.now);
    auto first = world.next();
    ASSERT_TRUE(first);
    EXPECT_TRUE(first->reset);
    EXPECT_FALSE(first->synced);
    EXPECT_EQ(first->objects.size(), 1u);
    EXPECT_EQ(first->health, world.health);
    world.settled = true;
    EXPECT_FALSE(world.next()) << "the loader has not said what it demands";
    world.session.demand_arrived();
    auto synced = world.next();
    ASSERT_TRUE(synced);
    EXPECT_TRUE(synced->synced);
    EXPECT_FALSE(synced->reset);
    world.settled = false;
    world.picture.put(1, pod("b"), R"({"n":2})", 2);
    world.next();
    world.now += 30 * kMillisecond;
    auto later = world.next();
    ASSERT_TRUE(later);
    EXPECT_TRUE(later->synced) << "it stays true while the API is away";
}

TEST(FeedSession, ALoaderThatDemandsNothingIsSyncedAfterASecond) {
    SessionWorld world;
    world.settled = true;
    world.session.begin(world.now);
    world.next();
    EXPECT_EQ(world.session.wake_at(), world.now + kSecond);
    world.now += kSecond;
    auto synced = world.next();
    ASSERT_TRUE(synced);
    EXPECT_TRUE(synced->synced);
}

TEST(FeedSession, ChangesWaitForOthers) {
    SessionWorld world;
    world.session.begin(world.now);
    world.next();
    world.picture.put(1, pod("a"), R"({"n":1})", 1);
    EXPECT_FALSE(world.next());
    EXPECT_EQ(world.session.wake_at(), world.now + 30 * kMillisecond);
    world.now += 20 * kMillisecond;
    world.picture.put(1, pod("b"), R"({"n":2})", 2);
    EXPECT_FALSE(world.next());
    world.now += 10 * kMillisecond;
    auto both = world.next();
    ASSERT_TRUE(both);
    EXPECT_EQ(both->objects.size(), 2u);
    EXPECT_TRUE(both->health.is_null());
}

TEST(FeedSession, HealthComesWhenItChangedAndAtMostOnceASecond) {
    SessionWorld world;
    world.session.begin(world.now);
    world.next();
    world.health["requests"] = 2;
    EXPECT_FALSE(world.next());
    world.now += kSecond;
    auto changed = world.next();
    ASSERT_TRUE(changed);
    EXPECT_EQ(changed->health, world.health);
    world.now += 5 * kSecond;
    auto synced_only = world.next();
    EXPECT_FALSE(synced_only) << "nothing has changed";
}

// Limits: feed_objects.
TEST(FeedSession, ManyObjectsGoOutInSeveralFramesAndSyncedComesLast) {
    SessionWorld world;
    for (int i = 0; i < 2500; ++i) world.picture.put(1, pod(std::to_string(i)), "{}", 1);
    world.settled = true;
    world.session.begin(world.now);
    world.session.demand_arrived();
    std::vector<std::size_t> sizes;
    std::vector<bool> synced;
    while (auto frame = world.next()) {
        sizes.push_back(frame->objects.size());
        synced.push_back(frame->synced);
    }
    EXPECT_EQ(sizes, (std::vector<std::size_t>{1000, 1000, 500}));
    EXPECT_EQ(synced, (std::vector<bool>{false, false, true}));
}

}  // namespace
}  // namespace umbra::kube
