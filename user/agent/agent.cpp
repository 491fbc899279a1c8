#include "agent/agent.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "agent/clone_switch.h"
#include "agent/cluster.h"
#include "agent/log.h"
#include "agent/pressure_reader.h"
#include "agent/privileges.h"
#include "agent/runtime.h"
#include "agent/settings.h"
#include "agent/side_process.h"
#include "agent/side_processes.h"
#include "agent/terminator_life.h"
#include "agent/verbs.h"
#include "agent/watched.h"
#include "control/server.h"
#include "loader/link_watcher.h"
#include "rules/listing.h"

namespace umbra::agent {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRefreshDelay{50};
constexpr milliseconds kControllerPatience{1000};
constexpr std::chrono::seconds kObservation{1};

Result<UniqueFd> block_signals() {
    sigset_t ending;
    sigemptyset(&ending);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ending, signal);
    ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    UniqueFd fd(::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) return Error{ErrorCode::failure, std::string("wait for, signals: ") + std::strerror(errno)};
    return fd;
}

// The sockets that others connect to, bound while the process still has the rights to.
struct Doors {
    control::Listener control;
    std::optional<control::Listener> terminator;  // absent: the loader forks its own
    std::optional<control::Listener> controller;
};

Result<Doors> open_doors(const AgentOptions& options) {
    const auto group = control::find_group(options.group);
    auto control = control::Listener::bind(options.socket, group);
    if (!control) return control.error();
    Doors doors{std::move(*control), {}, {}};
    const auto open = [&](const std::string& path, int type, std::optional<control::Listener>& door) -> Result<void> {
        if (path.empty()) return {};
        auto bound = control::Listener::bind(path, group, type);
        if (!bound) return bound.error();
        door.emplace(std::move(*bound));
        return {};
    };
    if (auto bound = open(options.terminator_socket, SOCK_SEQPACKET, doors.terminator); !bound) return bound.error();
    if (auto bound = open(options.controller_socket, SOCK_STREAM, doors.controller); !bound) return bound.error();
    return doors;
}

// The loader's event loop: signals, the terminator's life, devices and the control socket, in one thread.
class Agent {
public:
    Agent(const AgentOptions& options, RuleStore& store, Runtime& runtime, const TripSettings& trip, const Doors& doors)
        : options_(options),
          group_(control::find_group(options.group)),
          store_(store),
          runtime_(runtime),
          cloning_(runtime, trip, [this] { on_change(); }),
          verbs_(options, runtime, store, cloning_),
          terminator_(io_, runtime, doors.terminator ? &*doors.terminator : nullptr, group_, [this] { on_change(); }) {}

    Result<void> run(const Doors& doors, int signals) {
        if (auto used = runtime_.use(store_.plan()); !used) return used;
        if (auto begun = terminator_.begin(); !begun) return begun;
        attend_cluster(doors);
        start_side_processes();
        auto links = loader::LinkWatcher::make();
        if (!links) return links.error();
        auto server = control::ControlServer::make(
            io_, doors.control,
            [this](const control::Peer& peer, const control::Json& request) { return verbs_.answer(peer, request); },
            {.readers = group_});
        if (!server) return server.error();
        Watched link_events(io_, links->fd());
        watch_links(*links, link_events);
        Watched signal_events(io_, signals);
        signal_events.when_readable([this] { io_.stop(); });
        observe_later();
        log_ready();
        io_.run();
        spdlog::info("stopping");
        end_side_processes();
        terminator_.end();
        runtime_.stop();
        return {};
    }

private:
    void attend_cluster(const Doors& doors) {
        if (!doors.controller && !options_.kubernetes) return;
        cluster_.emplace(io_, store_, runtime_, group_);
        if (doors.controller) cluster_->listen(*doors.controller);
        verbs_.attend(*cluster_);
    }

    void start_side_processes() {
        if (options_.kubernetes) {
            controller_.emplace(io_, "controller", [this]() -> Result<ChildProcess> {
                UniqueFd connection;
                auto started = start_controller(options_, connection);
                cluster_->close();
                if (started) cluster_->adopt(std::move(connection));
                return started;
            });
            controller_->begin();
        }
        if (options_.metrics.empty()) return;
        exporter_.emplace(io_, "exporter", [this] { return start_exporter(options_); });
        exporter_->begin();
    }

    void end_side_processes() {
        if (exporter_) exporter_->end(milliseconds(0));
        if (cluster_) cluster_->close();  // the controller's sign to end
        if (controller_) controller_->end(kControllerPatience);
    }

    void log_ready() const {
        std::vector<std::string> devices;
        for (const auto& point : runtime_.datapath().attach_points()) devices.push_back(point.device);
        std::size_t mirrors = 0;
        const auto rows = rules::list_rules(store_.plan());
        for (const auto& row : rows) mirrors += row.status == "mirroring" ? 1 : 0;
        spdlog::info("ready devices={} hook={} rules={} mirroring={} remote={} mode={} workers={} socket={}",
                     devices.empty() ? "none" : fmt::format("{}", fmt::join(devices, ",")),
                     runtime_.datapath().uses_tcx() ? "tcx" : "clsact", rows.size(), mirrors, runtime_.remote().size(),
                     options_.one_sided ? "one-sided" : "strict", runtime_.datapath().workers(), options_.socket);
        if (!options_.inject_loss.empty())
            spdlog::warn("captured packets are thrown away on purpose inject_loss={}", options_.inject_loss);
        for (const auto& limit : options_.forced) spdlog::warn("a limit acts as reached on purpose force={}", limit);
        for (const auto& remote : runtime_.remote())
            spdlog::warn("not attached endpoint={} why={}", remote.endpoint.to_string(), remote.why);
    }

    void watch_links(loader::LinkWatcher& links, Watched& events) {
        events.when_readable([this, &links, &events] {
            if (links.drain() && !refresh_pending_) schedule_refresh();
            watch_links(links, events);
        });
    }

    // Changes come in bursts: one refresh for what comes within the delay.
    void schedule_refresh() {
        refresh_pending_ = true;
        refresh_timer_.expires_after(kRefreshDelay);
        refresh_timer_.async_wait([this](const asio::error_code& error) {
            if (error) return;
            refresh_pending_ = false;
            refresh();
        });
    }

    void refresh() {
        const auto report = runtime_.refresh();
        if (!report) return spdlog::error("devices changed: {}", report.error().message);
        if (report->added.empty() && report->removed.empty()) return;
        spdlog::info("devices changed attached=[{}] detached=[{}]", fmt::join(report->added, ","),
                     fmt::join(report->removed, ","));
    }

    void observe_later() {
        if (!cloning_.settings().enabled()) return;
        observe_timer_.expires_after(kObservation);
        observe_timer_.async_wait([this](const asio::error_code& error) {
            if (error) return;
            cloning_.observe(observe(runtime_, monotonic_now()));
            observe_later();
        });
    }

    // Rules may be reported in force, or not any more.
    void on_change() {
        if (cluster_) cluster_->recheck();
    }

    const AgentOptions& options_;
    std::optional<gid_t> group_;
    RuleStore& store_;
    Runtime& runtime_;
    CloneSwitch cloning_;
    Verbs verbs_;
    asio::io_context io_{1};
    asio::steady_timer refresh_timer_{io_};
    asio::steady_timer observe_timer_{io_};
    TerminatorLife terminator_;
    std::optional<Cluster> cluster_;
    std::optional<SideProcess> controller_, exporter_;
    bool refresh_pending_ = false;
};

}  // namespace

Result<void> run_agent(const AgentOptions& options) {
    start_log(options.log_level);
    const auto datapath = datapath_options(options);
    if (!datapath) return datapath.error();
    const auto settings = terminator_settings(options, datapath->queue_length);
    if (!settings) return settings.error();
    const auto trip = trip_settings(options, *settings);
    if (!trip) return trip.error();
    auto store = load_rules(options);
    if (!store) return store.error();
    auto signals = block_signals();
    if (!signals) return signals.error();
    auto doors = open_doors(options);
    if (!doors) return doors.error();
    if (!options.netns.empty()) {
        if (auto entered = enter_network(options.netns); !entered) return entered;
    }
    if (auto reduced = become_loader(); !reduced) return reduced;

    auto runtime = Runtime::make(*datapath, *settings);
    if (!runtime) return runtime.error();
    return Agent(options, *store, **runtime, *trip, *doors).run(*doors, signals->get());
}

}  // namespace umbra::agent
