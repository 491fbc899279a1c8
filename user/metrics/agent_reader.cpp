#include "metrics/agent_reader.h"

#include <algorithm>
#include <asio/post.hpp>
#include <utility>

#include "control/client.h"

namespace umbra::metrics {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

Answers ask_all(const Ask& ask, milliseconds patience) {
    Answers answers;
    const auto begin = Clock::now();
    for (const auto& [verb, place] : {std::pair{"status", &answers.status}, {"ledger", &answers.ledger}}) {
        const auto left = patience - std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
        auto answer = ask(verb, std::max(left, milliseconds(1)));
        if (!answer) {
            answers.failure = answer.error().message;
            break;
        }
        *place = std::move(*answer);
    }
    answers.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return answers;
}

}  // namespace

Ask ask_at(std::string socket_path) {
    return [path = std::move(socket_path)](const char* verb, milliseconds time) -> Result<control::Json> {
        auto response = control::ask(path, {{"verb", verb}}, time);
        if (!response) return response.error();
        if (!response->ok) return Error{response->code, response->error, response->hint};
        return std::move(response->result);
    };
}

AgentReader::AgentReader(asio::io_context& io, Ask ask, ReaderLimits limits)
    : io_(io), ask_(std::move(ask)), limits_(limits) {}

AgentReader::~AgentReader() { thread_.join(); }

void AgentReader::read(Receiver receiver) {
    if (latest_ && waiting_.empty() && Clock::now() - taken_ < limits_.interval) return receiver(latest_);
    waiting_.push_back(std::move(receiver));
    if (waiting_.size() == 1) start();
}

void AgentReader::start() {
    asio::post(thread_, [this, ask = ask_, patience = limits_.patience] {
        asio::post(io_, [this, answers = ask_all(ask, patience)] { finish(answers); });
    });
}

void AgentReader::finish(const Answers& answers) {
    ++asked_.times;
    if (!answers.failure.empty()) ++asked_.failures;
    latest_ = make_snapshot(answers, asked_);
    taken_ = Clock::now();
    for (const auto& receiver : std::exchange(waiting_, {})) receiver(latest_);
}

}  // namespace umbra::metrics
