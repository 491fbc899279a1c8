// ReplayRun: a capture file's requests to a target, at the capture's pace, a multiple of it, or as fast as the target
// answers. Same reassembly, protocol and replay as in the agent, on one thread. Ends early on SIGINT and SIGTERM.
#pragma once

#include <asio.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "offline/capture_feed.h"
#include "offline/capture_file.h"
#include "offline/replay_sessions.h"
#include "terminator/limit_table.h"

namespace umbra::offline {

struct ReplayOptions {
    CaptureFile capture;
    std::string to;
    std::vector<Endpoint> target;
    std::vector<std::uint16_t> ports;
    double speed = 1;  // 0: as fast as the target answers
    unsigned loops = 1;
    TerminatorLimits limits;

    // As the agent's, but bounds that suit a file.
    static TerminatorLimits default_limits();
};

class ReplayRun : private PacketSink {
public:
    explicit ReplayRun(ReplayOptions options);
    ~ReplayRun() override;

    // The error of the capture, or that the target could not be reached at all. What was replayed is counted then, too.
    Result<void> run(Progress& progress);

    const umbra_ledger_row& ledger() const { return row_; }
    const umbra_worker_row& worker() const { return worker_; }
    const MirrorAnswers& answers() const { return replayer_.answers(); }
    std::uint64_t packets() const { return packets_; }
    unsigned loops_done() const { return loops_done_; }
    bool interrupted() const { return interrupted_; }
    TimeNs duration() const { return ended_ - began_; }

private:
    struct Pass;

    void on_packet(const CapturedPacket& packet) override;
    bool begin_pass();
    void end_pass();
    void step();
    void step_at(TimeNs when);
    bool next_packet();
    TimeNs due() const;
    bool congested();
    std::uint64_t activity() const;
    void tick();
    bool unreachable();
    void await_end();
    void stop();

    const ReplayOptions options_;
    umbra_ledger_row row_{};
    umbra_worker_row worker_{};
    asio::io_context io_{1};
    asio::steady_timer pace_{io_};
    asio::steady_timer tick_{io_};
    asio::signal_set signals_{io_};
    SingleTarget target_;
    Replayer replayer_;
    ReplaySessions sessions_;
    Survey survey_;
    Progress* progress_ = nullptr;
    std::unique_ptr<Pass> pass_;
    std::optional<Error> failure_;
    std::uint64_t packets_ = 0;
    unsigned loops_done_ = 0;
    std::uint64_t last_activity_ = 0;
    TimeNs last_active_ = 0;
    TimeNs began_ = 0;
    TimeNs ended_ = 0;
    bool interrupted_ = false;
    bool stopped_ = false;
};

}  // namespace umbra::offline
