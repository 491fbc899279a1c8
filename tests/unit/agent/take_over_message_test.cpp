// The words of a take-over through a real socket: what goes in comes out, what is malformed is an error, an end an end.
#include "agent/take_over_message.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "terminator/descriptor_message.h"

namespace umbra::agent {
namespace {

struct Channel {
    Channel() {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        one.reset(ends[0]);
        other.reset(ends[1]);
    }
    void say(const std::string& text, const std::vector<int>& fds = {}) {
        ASSERT_TRUE(send_message(one.get(), text, fds, "test"));
    }
    UniqueFd one, other;
};

UniqueFd a_file() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

CloneState a_state() {
    CloneState state;
    state.by_operator = Pause{1000, 1.5, "v2 is moving house"};
    state.by_trip = Pause{std::nullopt, 2.5, "cpu 80% above 75%"};
    state.level = 4;
    state.relapses = 3;
    state.last_step = LastStep{{3, 4, Pressure::capture_loss}, 2.5, "cpu=80%"};
    return state;
}

void expect_equal(const CloneState& got, const CloneState& wanted) {
    EXPECT_EQ(to_json(got).dump(), to_json(wanted).dump());
}

Offer an_offer() {
    Offer offer;
    offer.version = "1.2.3";
    offer.pid = 77;
    offer.netns = "4:4026531840";
    offer.cloning = a_state();
    offer.qdiscs = {3, 9};
    offer.documents = {{{"RouteRule", "shop", "a"}, {"a.yaml", "kind: RouteRule\n# \xc3\xa4\n", "shop"}}};
    offer.control = a_file();
    offer.door = a_file();
    offer.own = a_file();
    return offer;
}

TEST(TakeOverMessage, HelloReadyTaken) {
    Channel channel;
    ASSERT_TRUE(send_hello(channel.one.get(), {7, "0.9"}));
    const auto hello = receive_hello(channel.other.get());
    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->format, 7u);
    EXPECT_EQ(hello->version, "0.9");
    for (const bool tcx : {true, false}) {
        ASSERT_TRUE(send_ready(channel.one.get(), tcx));
        const auto ready = receive_ready(channel.other.get());
        ASSERT_TRUE(ready);
        EXPECT_EQ(*ready, tcx);
    }
    ASSERT_TRUE(send_taken(channel.one.get(), 12));
    const auto taken = receive_taken(channel.other.get());
    ASSERT_TRUE(taken);
    EXPECT_EQ(*taken, 12u);
}

TEST(TakeOverMessage, OfferCarriesDocumentsStateAndDescriptors) {
    Channel channel;
    ASSERT_TRUE(send_offer(channel.one.get(), an_offer()));
    const auto got = receive_offer(channel.other.get());
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->version, "1.2.3");
    EXPECT_EQ(got->pid, 77);
    EXPECT_EQ(got->netns, "4:4026531840");
    EXPECT_EQ(got->qdiscs, (std::set<std::uint32_t>{3, 9}));
    expect_equal(got->cloning, a_state());
    ASSERT_EQ(got->documents.size(), 1u);
    EXPECT_EQ(got->documents[0].key.to_string(), "RouteRule shop/a");
    EXPECT_EQ(got->documents[0].source.text, "kind: RouteRule\n# \xc3\xa4\n");
    EXPECT_EQ(got->documents[0].source.ns, "shop");
    EXPECT_TRUE(got->control && got->door && got->own);
}

TEST(TakeOverMessage, DocumentsMayBeManyTimesLargerThanAMessage) {
    Channel channel;
    Offer offer = an_offer();
    offer.documents[0].source.text.assign(8u << 20, 'x');
    ASSERT_TRUE(send_offer(channel.one.get(), offer));
    const auto got = receive_offer(channel.other.get());
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->documents[0].source.text.size(), 8u << 20);
}

TEST(TakeOverMessage, AnOfferWithoutDocumentsOrPause) {
    Channel channel;
    Offer offer = an_offer();
    offer.documents.clear();
    offer.cloning = {};
    ASSERT_TRUE(send_offer(channel.one.get(), offer));
    const auto got = receive_offer(channel.other.get());
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_TRUE(got->documents.empty());
    expect_equal(got->cloning, {});
}

TEST(TakeOverMessage, AnOfferOfAnotherFormatIsRefusedByName) {
    Channel channel;
    Offer offer = an_offer();
    offer.format = 2;
    ASSERT_TRUE(send_offer(channel.one.get(), offer));
    const auto got = receive_offer(channel.other.get());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ErrorCode::unsupported);
    EXPECT_NE(got.error().message.find("1.2.3"), std::string::npos);
}

TEST(TakeOverMessage, LinksComeInBatches) {
    Channel channel;
    Go go;
    go.cloning = a_state();
    go.stopped_at = 123456789;
    go.qdiscs = {5};
    for (std::uint32_t i = 0; i < 2 * kLinksPerMessage + 1; ++i)
        go.links.push_back({i, static_cast<loader::Direction>(i % 2), a_file()});
    ASSERT_TRUE(send_go(channel.one.get(), go));
    const auto got = receive_go(channel.other.get());
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->stopped_at, go.stopped_at);
    EXPECT_EQ(got->qdiscs, go.qdiscs);
    ASSERT_EQ(got->links.size(), go.links.size());
    for (std::size_t i = 0; i < go.links.size(); ++i) {
        EXPECT_EQ(got->links[i].ifindex, go.links[i].ifindex);
        EXPECT_EQ(got->links[i].direction, go.links[i].direction);
        EXPECT_TRUE(got->links[i].fd);
    }
}

TEST(TakeOverMessage, WhoDiesAfterGoLeavesTheLinksThatCame) {
    Channel channel;
    Go go;
    go.links.push_back({1, loader::Direction::ingress, a_file()});
    ASSERT_TRUE(send_go(channel.one.get(), go));
    auto first = receive_message(channel.other.get(), "test");
    ASSERT_TRUE(first);
    first->text.replace(first->text.find("\"links\":1"), 9, "\"links\":9");
    Channel second;
    second.say(first->text);
    second.say(R"({"message":"links","links":[[1,0]]})", {go.links[0].fd.get()});
    second.one.reset();
    const auto got = receive_go(second.other.get());
    ASSERT_TRUE(got);
    EXPECT_EQ(got->links.size(), 1u);
}

TEST(TakeOverMessage, ARefusalIsReadEvenIfTheOtherSideEndedWithOurWordsUnread) {
    Channel channel;
    ASSERT_TRUE(send_ready(channel.other.get(), true));
    send_refusal(channel.one.get(), {ErrorCode::failure, "it took too long", {}});
    channel.one.reset();
    const auto got = receive_go(channel.other.get());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().message, "it took too long");
}

TEST(TakeOverMessage, AnEndIsAnErrorWithoutWordsAndARefusalOneWithThem) {
    Channel channel;
    send_refusal(channel.one.get(), {ErrorCode::failure, "it is stopping", "try again"});
    channel.one.reset();
    const auto refused = receive_go(channel.other.get());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "it is stopping");
    EXPECT_EQ(refused.error().hint, "try again");
    const auto ended = receive_go(channel.other.get());
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().message, "");
}

TEST(TakeOverMessage, WhatIsMalformedIsAnError) {
    const std::string deep(60000, '[');
    for (const char* text :
         {"x", "{", "[]", "null", R"({"message":1})", R"({"message":"taken"})", R"({"message":"hello","format":"1"})",
          R"({"message":"hello","format":-1})", R"({"message":"hello"})", deep.c_str()}) {
        Channel channel;
        channel.say(text);
        EXPECT_FALSE(receive_hello(channel.other.get())) << text;
    }
    for (const char* text : {R"({"message":"go"})", R"({"message":"go","links":1,"qdiscs":[]})",
                             R"({"message":"go","links":99999999,"qdiscs":[]})",
                             R"({"message":"go","links":0,"qdiscs":["a"],"cloning":{}})"}) {
        Channel channel;
        channel.say(text);
        channel.one.reset();
        EXPECT_FALSE(receive_go(channel.other.get())) << text;
    }
}

TEST(TakeOverMessage, LinksWithoutDescriptorsAreAnError) {
    for (const char* links : {R"([[1,0],[2,0]])", R"([])", R"([[1]])", R"([[1,2]])", R"([[-1,0]])", R"(7)"}) {
        Channel channel;
        const auto file = a_file();
        channel.say(R"({"message":"go","links":1,"qdiscs":[],"cloning":)" + to_json(CloneState{}).dump() + "}");
        channel.say(std::string(R"({"message":"links","links":)") + links + "}", {file.get()});
        channel.one.reset();
        EXPECT_FALSE(receive_go(channel.other.get())) << links;
    }
}

TEST(CloneStateJson, RefusesWhatTheLogShallNotHold) {
    auto json = to_json(a_state());
    ASSERT_TRUE(clone_state_from(json));
    for (const auto& [path, value] :
         std::vector<std::pair<std::string, control::Json>>{{"/by_operator/reason", "two\nlines"},
                                                            {"/by_operator/reason", std::string(201, 'x')},
                                                            {"/by_operator/uid", -1},
                                                            {"/by_trip/since", "now"},
                                                            {"/level", 5},
                                                            {"/relapses", 1000},
                                                            {"/last_step/to", 9},
                                                            {"/last_step/values", 3},
                                                            {"/by_operator", 3},
                                                            {"/last_step", "x"}}) {
        auto damaged = json;
        damaged[control::Json::json_pointer(path)] = value;
        EXPECT_FALSE(clone_state_from(damaged)) << path << " " << value;
    }
    EXPECT_FALSE(clone_state_from({}));
}

}  // namespace
}  // namespace umbra::agent
