// The setup of a terminator that connects: every option and descriptor arrives, nothing malformed is taken.
#include "terminator/setup_message.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "terminator/descriptor_message.h"
#include "terminator/limit_table.h"
#include "terminator/plan_message.h"

namespace umbra {
namespace {

struct Channel {
    UniqueFd loader, terminator;
};

Channel make_channel() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

UniqueFd event(unsigned value) { return UniqueFd(::eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK)); }

std::uint64_t value_of(const UniqueFd& fd) {
    std::uint64_t value = 0;
    return ::read(fd.get(), &value, sizeof value) == sizeof value ? value : 0;
}

TerminatorOptions sample(unsigned workers) {
    TerminatorOptions options;
    options.ledger = event(1);
    options.worker_rows = event(2);
    options.muted = event(3);
    options.own = event(4);
    for (unsigned i = 0; i < workers; ++i)
        options.workers.push_back({event(10 + 3 * i), event(11 + 3 * i), event(12 + 3 * i)});
    options.queue_length = 123;
    options.one_sided = true;
    options.injected_loss = {500, 7};
    TerminatorLimits limits = default_limits(workers);
    EXPECT_TRUE(set_limit(limits, "flows=77"));
    EXPECT_TRUE(set_limit(limits, "response_timeout=1500ms"));
    options.reassembly = limits.reassembly;
    EXPECT_TRUE(set_limit(limits, "request_head=9k"));
    EXPECT_TRUE(force_limit(limits, "connections=3"));
    EXPECT_TRUE(force_limit(limits, "chunk_trailer"));
    options.replay = limits.replay;
    options.protocol = limits.protocol;
    options.reassembly.hash_seed = 0xfedcba9876543210u;
    return options;
}

TEST(SetupMessage, EverythingArrives) {
    for (const unsigned workers : {1u, 3u, 64u}) {
        auto channel = make_channel();
        const auto sent = sample(workers);
        ASSERT_TRUE(send_setup(channel.loader.get(), sent));
        auto got = receive_setup(std::move(channel.terminator));
        ASSERT_TRUE(got) << got.error().message;
        EXPECT_EQ(got->queue_length, 123u);
        EXPECT_TRUE(got->one_sided);
        EXPECT_EQ(got->injected_loss.per_million, 500u);
        EXPECT_EQ(got->injected_loss.seed, 7u);
        EXPECT_EQ(got->reassembly.flows, 77u);
        EXPECT_EQ(got->reassembly.hash_seed, 0xfedcba9876543210u);
        EXPECT_EQ(got->replay.response_timeout, 1500 * kMillisecond);
        EXPECT_EQ(got->protocol.head_bytes, 9216u);
        EXPECT_EQ(got->replay.connections.forced_every(), 3u);
        EXPECT_EQ(got->protocol.chunked.trailer_bytes.forced_every(), 1u);
        EXPECT_EQ(got->reassembly.flows.forced_every(), 0u);
        EXPECT_EQ(value_of(got->ledger), 1u);
        EXPECT_EQ(value_of(got->own), 4u);
        ASSERT_EQ(got->workers.size(), workers);
        EXPECT_EQ(value_of(got->workers.back().ring), 12u + 3 * (workers - 1));
    }
}

TEST(SetupMessage, TheAnswerGoesBackOverTheChannel) {
    auto channel = make_channel();
    ASSERT_TRUE(send_setup(channel.loader.get(), sample(1)));
    auto got = receive_setup(std::move(channel.terminator));
    ASSERT_TRUE(got);
    ASSERT_TRUE(acknowledge_setup(got->channel.get(), R"({"uid":"5"})"));
    const auto answer = read_setup_answer(channel.loader.get());
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer, R"({"uid":"5"})");
    got->channel.reset();
    EXPECT_FALSE(read_setup_answer(channel.loader.get()));
}

// Limits: setup_bytes.
TEST(SetupMessage, ALongOneIsRefused) {
    auto channel = make_channel();
    const std::string text(kMaxMessageText + 1, ' ');
    ASSERT_GT(::send(channel.loader.get(), text.data(), text.size(), 0), 0);
    const auto got = receive_setup(std::move(channel.terminator));
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().message.find("too large"), std::string::npos) << got.error().message;
}

// Limits: plan_bytes.
TEST(PlanMessage, ALargePlanIsRefusedWithoutReadingIt) {
    auto channel = make_channel();
    const UniqueFd file(::memfd_create("plan", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(kMaxPlanBytes) + 1), 0);
    ASSERT_TRUE(send_message(channel.loader.get(), "P", {file.get()}, "plan"));
    const auto got = receive_plan(channel.terminator.get());
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().message.find("impossible size"), std::string::npos) << got.error().message;
}

TEST(SetupMessage, NothingMalformedIsTaken) {
    const std::string head = R"({"version":")" UMBRA_VERSION R"(",)";
    for (const std::string& text :
         {std::string("{}"), std::string("nonsense"), std::string(R"({"version":"0"})"),
          head + R"("workers":1,"queue_length":1,"one_sided":false,"lost_per_million":0,"loss_seed":1,"hash_seed":1,)"
                 R"("limits":[],"forced":[]})",  // no descriptors
          head + R"("workers":0,"queue_length":1,"one_sided":false,"lost_per_million":0,"loss_seed":1,"hash_seed":1,)"
                 R"("limits":[],"forced":[]})"}) {
        auto channel = make_channel();
        ASSERT_GT(::send(channel.loader.get(), text.data(), text.size(), 0), 0);
        EXPECT_FALSE(receive_setup(std::move(channel.terminator))) << text;
    }
    auto closed = make_channel();
    closed.loader.reset();
    const auto got = receive_setup(std::move(closed.terminator));
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().message.find("closed"), std::string::npos);
}

}  // namespace
}  // namespace umbra
