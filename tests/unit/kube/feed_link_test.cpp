#include "kube/feed_link.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "unit/control/socket_dir.h"

namespace umbra::kube {
namespace {

// The loader's end, in the same thread.
class Loader {
public:
    explicit Loader(const std::string& path) : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const auto address = control::unix_address(path);
        ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address));
        ::listen(listener_.get(), 4);
    }
    void accept() { peer_.reset(::accept(listener_.get(), nullptr, nullptr)); }
    void send(const std::string& bytes) { ::send(peer_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
    std::string receive(std::size_t most) {
        std::string bytes(most, '\0');
        const ssize_t got = ::recv(peer_.get(), bytes.data(), most, MSG_DONTWAIT);
        bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return bytes;
    }
    void close() { peer_.reset(); }

private:
    UniqueFd listener_, peer_;
};

FeedLink link_to(const std::string& path) {
    return FeedLink(path, [] { return 0.0; });
}

TEST(FeedLink, ComesBackAfterPausesThatGrow) {
    const control::SocketDir dir;
    FeedLink link = link_to(dir.path());
    TimeNs now = 100 * kSecond;
    std::vector<TimeNs> pauses;
    for (int i = 0; i < 8; ++i) {
        link.step(now);
        EXPECT_FALSE(link.connected());
        pauses.push_back((link.wake_at() - now) / kMillisecond);
        now = link.wake_at();
    }
    EXPECT_EQ(pauses, (std::vector<TimeNs>{50, 100, 200, 400, 800, 1600, 2500, 2500}));
    Loader loader(dir.path());
    link.step(now);
    EXPECT_TRUE(link.connected());
    EXPECT_EQ(link.connects(), 1u);
    EXPECT_FALSE(link.ended());
}

TEST(FeedLink, ReadsFramesAndWritesThem) {
    const control::SocketDir dir;
    Loader loader(dir.path());
    FeedLink link = link_to(dir.path());
    link.step(kSecond);
    loader.accept();
    const std::string two = frame("demand", {{"everything", true}}) + frame("report", Json::object());
    loader.send(two.substr(0, 10));
    link.step(kSecond);
    EXPECT_TRUE(link.take().empty());
    loader.send(two.substr(10));
    link.step(kSecond);
    const auto arrived = link.take();
    ASSERT_EQ(arrived.size(), 2u);
    EXPECT_TRUE(arrived[0].contains("demand"));
    EXPECT_TRUE(arrived[1].contains("report"));
    link.send("bytes");
    EXPECT_FALSE(link.idle());
    link.step(kSecond);
    EXPECT_TRUE(link.idle());
    EXPECT_EQ(loader.receive(100), "bytes");
}

TEST(FeedLink, ABrokenFrameEndsTheConnection) {
    for (const std::string& bad :
         {std::string("\x7f\xff\xff\xff", 4), std::string("\0\0\0\2{]", 6), std::string("\0\0\0\2[]", 6)}) {
        const control::SocketDir dir;
        Loader loader(dir.path());
        FeedLink link = link_to(dir.path());
        link.step(kSecond);
        loader.accept();
        loader.send(bad);
        link.step(kSecond);
        EXPECT_FALSE(link.connected());
        link.step(link.wake_at());
        EXPECT_TRUE(link.connected());
        EXPECT_EQ(link.connects(), 2u);
        EXPECT_TRUE(link.take().empty());
    }
}

TEST(FeedLink, ASlowLoaderBlocksNothingAndLeavesNoRoom) {
    const control::SocketDir dir;
    Loader loader(dir.path());
    FeedLink link = link_to(dir.path());
    link.step(kSecond);
    loader.accept();
    EXPECT_TRUE(link.has_room());
    std::size_t sent = 0;
    while (link.has_room()) {
        link.send(std::string(64 << 10, 'x'));
        sent += 64 << 10;
        link.step(kSecond);
    }
    EXPECT_EQ(link.wants()->events, POLLIN | POLLOUT);
    std::size_t received = 0;
    while (received < sent) {
        const std::string bytes = loader.receive(1 << 20);
        received += bytes.size();
        link.step(kSecond);
    }
    EXPECT_TRUE(link.idle());
    EXPECT_TRUE(link.has_room());
    EXPECT_EQ(link.wants()->events, POLLIN);
}

TEST(FeedLink, WhatWaitedForALostLoaderIsNotSentToTheNext) {
    const control::SocketDir dir;
    Loader loader(dir.path());
    FeedLink link = link_to(dir.path());
    link.step(kSecond);
    loader.accept();
    loader.close();
    link.send("old");
    link.step(kSecond);
    EXPECT_FALSE(link.connected());
    link.step(link.wake_at());
    loader.accept();
    link.send("new");
    link.step(100 * kSecond);
    EXPECT_EQ(loader.receive(100), "new");
}

TEST(FeedLink, AHandedSocketIsTheOnlyOne) {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    UniqueFd loader(pair[1]);
    FeedLink link{UniqueFd(pair[0])};
    link.step(kSecond);
    EXPECT_TRUE(link.connected());
    EXPECT_EQ(link.connects(), 1u);
    loader.reset();
    link.step(kSecond);
    EXPECT_TRUE(link.ended());
    link.step(1000 * kSecond);
    EXPECT_TRUE(link.ended());
}

}  // namespace
}  // namespace umbra::kube
