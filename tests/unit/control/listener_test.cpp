#include "control/listener.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "control/client.h"
#include "unit/control/socket_dir.h"

namespace umbra::control {
namespace {

mode_t mode_of(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

TEST(Listener, MakesAPrivateDirectoryAndSocketAndRemovesTheSocket) {
    const SocketDir dir;
    const std::string path = dir.path("run/s.sock");
    {
        const auto listener = Listener::bind(path, std::nullopt);
        ASSERT_TRUE(listener) << listener.error().message;
        EXPECT_EQ(mode_of(dir.path("run")), 0750u);
        EXPECT_EQ(mode_of(path), 0660u);
        EXPECT_TRUE(RawClient(path).connected());
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Listener, RefusesTheSocketOfALivingAgentAndLeavesIt) {
    const SocketDir dir;
    const auto first = Listener::bind(dir.path(), std::nullopt);
    ASSERT_TRUE(first);
    const auto second = Listener::bind(dir.path(), std::nullopt);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message.find("another agent is listening"), std::string::npos) << second.error().message;
    EXPECT_EQ(second.error().code, ErrorCode::failure);
    EXPECT_TRUE(RawClient(dir.path()).connected());
}

TEST(Listener, ReplacesTheSocketOfADeadAgent) {
    const SocketDir dir;
    {
        const auto address = unix_address(dir.path());
        const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
        ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)), 0);
    }
    ASSERT_TRUE(std::filesystem::exists(dir.path()));
    const auto listener = Listener::bind(dir.path(), std::nullopt);
    ASSERT_TRUE(listener) << listener.error().message;
    EXPECT_TRUE(RawClient(dir.path()).connected());
}

TEST(Listener, NeverRemovesAFileThatIsNoSocket) {
    const SocketDir dir;
    std::ofstream(dir.path()) << "precious";
    EXPECT_FALSE(Listener::bind(dir.path(), std::nullopt));
    EXPECT_TRUE(std::filesystem::is_regular_file(dir.path()));
}

TEST(Listener, LeavesTheSocketThatTookItsPlace) {
    const SocketDir dir;
    {
        const auto first = Listener::bind(dir.path(), std::nullopt);
        ASSERT_TRUE(first);
        std::filesystem::rename(dir.path(), dir.path("moved"));
        std::ofstream(dir.path()) << "somebody else's";
    }
    EXPECT_TRUE(std::filesystem::exists(dir.path()));
}

TEST(Listener, RefusesPathsThatDoNotFit) {
    const auto listener = Listener::bind("/tmp/" + std::string(200, 'x'), std::nullopt);
    ASSERT_FALSE(listener);
    EXPECT_EQ(listener.error().code, ErrorCode::usage);
}

TEST(Client, SaysWhenNobodyListens) {
    const SocketDir dir;
    const auto response = ask(dir.path(), {{"verb", "status"}});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::failure);
    EXPECT_NE(response.error().hint.find("umbra run"), std::string::npos);
}

TEST(Client, GivesUpOnAnAgentThatDoesNotAnswer) {
    const SocketDir dir;
    const auto listener = Listener::bind(dir.path(), std::nullopt);
    ASSERT_TRUE(listener);
    const auto response = ask(dir.path(), {{"verb", "status"}}, std::chrono::milliseconds(100));
    ASSERT_FALSE(response);
    EXPECT_NE(response.error().message.find("in time"), std::string::npos) << response.error().message;
}

TEST(Listener, ASharedSocketsFileHasOneOwnerAtATime) {
    const SocketDir dir;
    auto first = Listener::bind(dir.path(), std::nullopt);
    ASSERT_TRUE(first);
    { ASSERT_TRUE(Listener::adopt(dir.path(), UniqueFd(::dup(first->fd())))); }
    EXPECT_TRUE(RawClient(dir.path()).connected());  // who ends before take_file() leaves the file
    {
        auto second = Listener::adopt(dir.path(), UniqueFd(::dup(first->fd())));
        ASSERT_TRUE(second) << second.error().message;
        second->take_file();
        first->leave_file();
        { const Listener gone = std::move(*first); }
        EXPECT_TRUE(RawClient(dir.path()).connected());
    }
    EXPECT_FALSE(std::filesystem::exists(dir.path()));
}

TEST(Listener, AdoptsOnlyWhatListensInTheRightWay) {
    const SocketDir dir;
    const auto listener = Listener::bind(dir.path(), std::nullopt);
    ASSERT_TRUE(listener);
    EXPECT_FALSE(Listener::adopt(dir.path(), UniqueFd(::dup(listener->fd())), SOCK_SEQPACKET));
    EXPECT_FALSE(Listener::adopt(dir.path(), UniqueFd(::socket(AF_UNIX, SOCK_STREAM, 0))));
    EXPECT_FALSE(Listener::adopt(dir.path(), UniqueFd(::dup(STDIN_FILENO))));
    EXPECT_FALSE(Listener::adopt(dir.path(), UniqueFd()));
}

}  // namespace
}  // namespace umbra::control
