#include "metrics/agent_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

namespace umbra::metrics {
namespace {

using control::Json;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

// Answers when it is let to; remembers what was asked. Asked from the reader's one thread.
struct Agent {
    std::vector<std::string> verbs;
    std::vector<milliseconds> times;
    std::promise<void> go;
    std::shared_future<void> gone{go.get_future().share()};
    bool ill = false;

    Ask ask() {
        return [this](const char* verb, milliseconds time) -> Result<Json> {
            gone.wait();
            verbs.emplace_back(verb);
            times.push_back(time);
            if (ill) return Error{ErrorCode::failure, "ask, agent: no answer in time"};
            return Json{{"terminator", "running"}, {"closes", true}};
        };
    }
};

// Runs the io_context until `count` receivers were called.
struct Audience {
    explicit Audience(asio::io_context& io) : io_(io), work_(asio::make_work_guard(io)) {}
    void read(AgentReader& reader) {
        reader.read([this](const SnapshotPtr& snapshot) { got.push_back(snapshot); });
    }
    void wait(std::size_t count) {
        while (got.size() < count) io_.run_one();
    }
    std::vector<SnapshotPtr> got;

private:
    asio::io_context& io_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
};

TEST(AgentReader, AsksBothVerbsOnceForAllWhoWait) {
    asio::io_context io;
    Agent agent;
    AgentReader reader(io, agent.ask(), {.interval = std::chrono::hours(1)});
    Audience audience(io);
    for (int i = 0; i < 5; ++i) audience.read(reader);
    EXPECT_TRUE(audience.got.empty());
    agent.go.set_value();
    audience.wait(5);
    EXPECT_THAT(agent.verbs, ElementsAre("status", "ledger"));
    EXPECT_TRUE(audience.got[4]->health.good);
    audience.read(reader);  // young enough: at once, the same
    ASSERT_EQ(audience.got.size(), 6u);
    EXPECT_EQ(audience.got[5], audience.got[0]);
    EXPECT_EQ(agent.verbs.size(), 2u);
}

TEST(AgentReader, AsksAgainWhenTheAnswerIsOld) {
    asio::io_context io;
    Agent agent;
    agent.go.set_value();
    AgentReader reader(io, agent.ask(), {.interval = milliseconds(0)});
    Audience audience(io);
    audience.read(reader);
    audience.wait(1);
    audience.read(reader);
    audience.wait(2);
    EXPECT_EQ(agent.verbs.size(), 4u);
    EXPECT_THAT(audience.got[1]->exposition, HasSubstr("\numbra_exporter_asked_total 2\n"));
}

// Limits: agent_patience.
TEST(AgentReader, OnePatienceForBothVerbsAndAFailureIsSharedToo) {
    asio::io_context io;
    Agent agent;
    agent.ill = true;
    agent.go.set_value();
    AgentReader reader(io, agent.ask(), {.interval = std::chrono::hours(1), .patience = milliseconds(700)});
    Audience audience(io);
    audience.read(reader);
    audience.wait(1);
    audience.read(reader);
    EXPECT_THAT(agent.verbs, ElementsAre("status"));  // nothing further of an agent that does not answer
    EXPECT_LE(agent.times[0], milliseconds(700));
    ASSERT_EQ(audience.got.size(), 2u);
    EXPECT_EQ(audience.got[1]->health.reason, "ask, agent: no answer in time");
}

TEST(AgentReader, AnAgentThatIsNotThereIsAFailureNotAnEnd) {
    asio::io_context io;
    AgentReader reader(io, ask_at("/nonexistent/umbra.sock"));
    Audience audience(io);
    audience.read(reader);
    audience.wait(1);
    EXPECT_FALSE(audience.got[0]->health.good);
    EXPECT_THAT(audience.got[0]->health.reason, HasSubstr("/nonexistent/umbra.sock"));
}

}  // namespace
}  // namespace umbra::metrics
