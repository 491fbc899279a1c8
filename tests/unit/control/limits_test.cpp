// Bounds of the control socket's messages that no other test forces.
#include <gtest/gtest.h>

#include "control/client.h"
#include "control/message.h"
#include "unit/control/socket_dir.h"

namespace umbra::control {
namespace {

std::string nested(int levels) {
    return R"({"verb":)" + std::string(static_cast<std::size_t>(levels), '[') +
           std::string(static_cast<std::size_t>(levels), ']') + "}";
}

// Limits: control_depth.
TEST(ControlLimits, ADeepRequestIsRefused) {
    EXPECT_FALSE(decode_request(nested(kMaxMessageDepth + 1)));
    EXPECT_FALSE(decode_request(nested(100'000)));
}

// Limits: control_patience.
TEST(ControlLimits, AnAgentThatIsSilentIsNotWaitedForForever) {
    const SocketDir directory;
    const auto address = unix_address(directory.path());
    const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    const auto answer = ask(directory.path(), {{"verb", "status"}}, std::chrono::milliseconds(50));
    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().message.find("no answer in time"), std::string::npos) << answer.error().message;
}

}  // namespace
}  // namespace umbra::control
