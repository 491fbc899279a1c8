// AgentReader: asks the agent in a thread of its own, at most once per interval; whoever wants to know meanwhile shares
// the answer. Everything else runs in the io_context's thread, which must not run after the reader's end.
#pragma once

#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <vector>

#include "base/result.h"
#include "metrics/snapshot.h"

namespace umbra::metrics {

// The verb's result. Blocks for at most the time given.
using Ask = std::function<Result<control::Json>(const char* verb, std::chrono::milliseconds time)>;

Ask ask_at(std::string socket_path);

struct ReaderLimits {
    std::chrono::milliseconds interval{1000};
    std::chrono::milliseconds patience{5000};  // for all verbs of one answer
};

class AgentReader {
public:
    using Receiver = std::function<void(const SnapshotPtr&)>;

    AgentReader(asio::io_context& io, Ask ask, ReaderLimits limits = {});
    ~AgentReader();
    AgentReader(const AgentReader&) = delete;
    AgentReader& operator=(const AgentReader&) = delete;

    // Calls back at once if the last answer is young enough, else later.
    void read(Receiver receiver);

private:
    void start();
    void finish(const Answers& answers);

    asio::io_context& io_;
    const Ask ask_;
    const ReaderLimits limits_;
    Asked asked_;
    SnapshotPtr latest_;
    std::chrono::steady_clock::time_point taken_;
    std::vector<Receiver> waiting_;
    asio::thread_pool thread_{1};
};

}  // namespace umbra::metrics
