#include "offline/replay_run.h"

#include <algorithm>
#include <csignal>
#include <utility>

namespace umbra::offline {

namespace {

constexpr unsigned kPacketsPerTurn = 256;  // then sockets get their turn
constexpr TimeNs kTick = 20 * kMillisecond;
constexpr TimeNs kBackOff = kMillisecond;        // while the target is behind
constexpr TimeNs kPatience = 50 * kMillisecond;  // a target that is behind but idle waits for more packets
constexpr std::uint64_t kQueueAhead = 1 << 20;   // bytes that may wait for the target at full speed

constexpr Reason kConnectReasons[] = {Reason::connect_refused, Reason::connect_timeout, Reason::connect_failed,
                                      Reason::breaker_open};

}  // namespace

// One reading of the file. The packet that is not due yet is kept as a copy.
struct ReplayRun::Pass {
    std::unique_ptr<PcapSource> source;
    CaptureFeed feed;
    OfflineDemux demux;
    std::vector<std::byte> bytes;
    CapturedPacket packet;
    bool holds = false;
    TimeNs first = 0;  // the capture's time of its first packet
    TimeNs began = 0;  // ours
    bool timed = false;

    Pass(std::unique_ptr<PcapSource> opened, const CaptureFeed::Setup& setup, ReplayRun& run)
        : source(std::move(opened)),
          feed(setup, run.sessions_, run.worker_),
          demux(feed, kCaptureDecoding),
          began(monotonic_now()) {}
};

TerminatorLimits ReplayOptions::default_limits() {
    TerminatorLimits limits = umbra::default_limits(1);
    limits.reassembly = offline_limits();
    return limits;
}

ReplayRun::ReplayRun(ReplayOptions options)
    : options_(std::move(options)),
      target_(options_.target, row_),
      replayer_({io_, target_, target_, worker_}, options_.limits.replay),
      sessions_({replayer_, row_, worker_, options_.ports, options_.limits.protocol}) {}

ReplayRun::~ReplayRun() = default;

Result<void> ReplayRun::run(Progress& progress) {
    progress_ = &progress;
    if (options_.capture.repeatable()) {
        if (auto seen = options_.capture.look_ahead(survey_, progress); !seen) return seen;
    }
    began_ = last_active_ = monotonic_now();
    if (!begin_pass()) return *failure_;
    signals_.add(SIGINT);
    signals_.add(SIGTERM);
    signals_.async_wait([this](const asio::error_code& error, int) {
        if (error) return;
        interrupted_ = true;
        stop();
    });
    tick();
    step_at(0);
    io_.run();
    ended_ = monotonic_now();
    progress.clear();
    (void)unreachable();
    if (failure_) return *failure_;
    return {};
}

bool ReplayRun::begin_pass() {
    auto source = options_.capture.open();
    if (!source) {
        failure_ = source.error();
        return false;
    }
    const CaptureFeed::Setup setup{.limits = options_.limits.reassembly,
                                   .mode = options_.capture.mode,
                                   .survey = options_.capture.repeatable() ? &survey_ : nullptr};
    pass_ = std::make_unique<Pass>(std::move(*source), setup, *this);
    return true;
}

void ReplayRun::end_pass() {
    pass_->demux.finish();
    pass_.reset();
    ++loops_done_;
    if (!failure_ && loops_done_ < options_.loops && begin_pass()) return step_at(0);
    await_end();
}

void ReplayRun::on_packet(const CapturedPacket& packet) {
    pass_->bytes.assign(packet.data.begin(), packet.data.end());
    pass_->packet = packet;
    pass_->packet.data = pass_->bytes;
    pass_->holds = true;
    if (!std::exchange(pass_->timed, true)) pass_->first = packet.time;
}

// False: the file has no more.
bool ReplayRun::next_packet() {
    if (pass_->holds) return true;
    const auto count = pass_->source->read(*this, 1);
    if (!count) failure_ = count.error();
    return count && *count > 0;
}

TimeNs ReplayRun::due() const {
    if (options_.speed <= 0 || pass_->packet.time <= pass_->first) return 0;
    const auto offset = static_cast<double>(pass_->packet.time - pass_->first) / options_.speed;
    return pass_->began + static_cast<TimeNs>(offset);
}

std::uint64_t ReplayRun::activity() const {
    return worker_.responses + worker_.response_bytes + row_.mirrored.bytes + answers().connections_made;
}

// At full speed the target sets the pace; but what it waits for may be in packets that are still to be read.
bool ReplayRun::congested() {
    const TimeNs now = monotonic_now();
    if (activity() != last_activity_) {
        last_activity_ = activity();
        last_active_ = now;
    }
    const bool behind =
        worker_.queued_bytes > std::min<std::uint64_t>(kQueueAhead, options_.limits.replay.total_queue_bytes / 2) ||
        worker_.connections >= options_.limits.replay.connections;
    return behind && now - last_active_ < kPatience;
}

void ReplayRun::step_at(TimeNs when) {
    const TimeNs now = monotonic_now();
    if (when <= now) return asio::post(io_, [this] { step(); });
    pace_.expires_after(std::chrono::nanoseconds(when - now));
    pace_.async_wait([this](const asio::error_code& error) {
        if (!error) step();
    });
}

void ReplayRun::step() {
    for (unsigned count = 0; count < kPacketsPerTurn && !stopped_; ++count) {
        if (!next_packet()) return end_pass();
        const TimeNs when = due();
        if (when > monotonic_now()) return step_at(when);
        if (options_.speed <= 0 && congested()) return step_at(monotonic_now() + kBackOff);
        pass_->holds = false;
        ++packets_;
        pass_->demux.on_packet(pass_->packet);
    }
    if (!stopped_) step_at(0);
}

// True if connections were tried and none was made.
bool ReplayRun::unreachable() {
    if (answers().connections_made > 0) return false;
    for (const Reason reason : kConnectReasons) {
        const umbra_units& dropped = dropped_units(row_, reason);
        if (dropped.requests + dropped.bytes == 0) continue;
        if (!failure_)
            failure_ = Error{ErrorCode::failure, "replay to '" + options_.to + "': " + reason_text(reason),
                             "is a server listening there? name another target with --to"};
        return true;
    }
    return false;
}

void ReplayRun::tick() {
    const TimeNs now = monotonic_now();
    replayer_.tick(now);
    if (unreachable()) return stop();
    if (pass_)
        progress_->show({"replaying", pass_->source->progress(), pass_->source->file_size(), packets_, row_.seen.flows},
                        now);
    tick_.expires_after(std::chrono::nanoseconds(kTick));
    tick_.async_wait([this](const asio::error_code& error) {
        if (!error) tick();
    });
}

// What was handed to replay is answered, or dropped by its own timeouts; a silent rest is not waited for.
void ReplayRun::await_end() {
    const TimeNs now = monotonic_now();
    if (activity() != last_activity_) {
        last_activity_ = activity();
        last_active_ = now;
    }
    const auto& limits = options_.limits.replay;
    const TimeNs silence = limits.connect_timeout + limits.response_timeout + kSecond;
    if (replayer_.drained() || now - last_active_ > silence) return stop();
    pace_.expires_after(std::chrono::nanoseconds(kTick / 4));
    pace_.async_wait([this](const asio::error_code& error) {
        if (!error) await_end();
    });
}

void ReplayRun::stop() {
    if (std::exchange(stopped_, true)) return;
    if (pass_) pass_->demux.finish();
    pass_.reset();
    replayer_.shutdown(monotonic_now());
    asio::error_code ignored;
    signals_.cancel(ignored);
    tick_.cancel();
    pace_.cancel();
    io_.stop();
}

}  // namespace umbra::offline
