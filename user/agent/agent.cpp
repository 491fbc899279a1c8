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
#include "agent/doors.h"
#include "agent/final_totals.h"
#include "agent/log.h"
#include "agent/pressure_reader.h"
#include "agent/privileges.h"
#include "agent/runtime.h"
#include "agent/settings.h"
#include "agent/side_process.h"
#include "agent/side_processes.h"
#include "agent/take_over.h"
#include "agent/take_over_door.h"
#include "agent/terminator_life.h"
#include "agent/verbs.h"
#include "agent/watched.h"
#include "control/server.h"
#include "kube/wall_time.h"
#include "loader/link_watcher.h"
#include "rules/listing.h"

namespace umbra::agent {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRefreshDelay{50};
constexpr milliseconds kControllerPatience{1000};
constexpr std::chrono::seconds kObservation{1};
constexpr std::chrono::seconds kPicturePatience{30};
constexpr milliseconds kClientPatience{1000};  // for who is being served when another agent has taken over
constexpr milliseconds kCapturePatience{500};  // for what was cloned before

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

// The loader's event loop: signals, the terminator's life, devices and the control socket, in one thread.
class Agent {
public:
    struct Parts {
        const AgentOptions& options;
        RuleStore& store;
        Runtime& runtime;
        const TripSettings& trip;
        Doors& doors;
        TakeOver* predecessor;  // null: none
    };
    explicit Agent(const Parts& parts)
        : options_(parts.options),
          group_(control::find_group(options_.group)),
          store_(parts.store),
          runtime_(parts.runtime),
          doors_(parts.doors),
          predecessor_(parts.predecessor),
          cloning_(runtime_, parts.trip, [this] { on_change(); }),
          verbs_(options_, runtime_, store_, cloning_),
          terminator_(io_, runtime_, doors_.terminator ? &*doors_.terminator : nullptr, group_,
                      [this] { on_change(); }) {}

    Result<void> run(int signals) {
        Watched signal_events(io_, signals);
        signal_events.when_readable([this] { io_.stop(); });
        if (auto begun = begin(); !begun) return begun;
        auto links = loader::LinkWatcher::make();
        if (!links) return links.error();
        auto server = control::ControlServer::make(
            io_, doors_.control,
            [this](const control::Peer& peer, const control::Json& request) { return verbs_.answer(peer, request); },
            {.readers = group_});
        if (!server) return server.error();
        Watched link_events(io_, links->fd());
        watch_links(*links, link_events);
        observe_later();
        open_to_successors();
        log_ready();
        io_.run();
        await_switch();
        if (door_ && door_->taken()) return leave_to_successor(**server);
        spdlog::info("stopping");
        door_.reset();
        end_side_processes();
        terminator_.end();
        runtime_.stop();
        return {};
    }

private:
    Result<void> begin() {
        if (predecessor_) {
            runtime_.inherit_qdiscs(predecessor_->offer().qdiscs);
            if (auto adopted = cloning_.adopt(predecessor_->offer().cloning); !adopted) return adopted;
        }
        if (auto used = runtime_.use(store_.plan()); !used) return used;
        if (auto begun = terminator_.begin(); !begun) return begun;
        attend_cluster();
        start_controller_process();
        if (predecessor_) return take_over();
        start_exporter_process();
        return {};
    }

    // The switch. Until it is done this process may end at any point, and the other one goes on.
    Result<void> take_over() {
        if (auto complete = await_picture(); !complete) return complete;
        auto go = predecessor_->ready(runtime_.datapath().uses_tcx());
        if (!go) return go.error();
        runtime_.inherit_qdiscs(go->qdiscs);
        if (auto adopted = cloning_.adopt(go->cloning); !adopted) return adopted;
        const auto report = runtime_.take(std::move(go->links));
        if (!report) return report.error();
        predecessor_->taken(report->hooks);
        doors_.control.take_file();
        doors_.take_over.take_file();
        note_take_over(*report, go->stopped_at);
        on_change();
        schedule_refresh();
        predecessor_end_.emplace(io_, predecessor_->fd());
        await_predecessor();
        return {};
    }

    // Its exporter has the port until then.
    void await_predecessor() {
        predecessor_end_->when_readable(
            [this] { predecessor_->has_let_go() ? start_exporter_process() : await_predecessor(); });
    }

    // Of a cluster nothing is in force before its picture is complete.
    Result<void> await_picture() {
        const auto deadline = std::chrono::steady_clock::now() + kPicturePatience;
        while (cluster_ && !cluster_->in_force()) {
            if (io_.run_one_until(deadline) > 0) continue;
            const bool stopped = io_.stopped() && std::chrono::steady_clock::now() < deadline;
            const Error why{
                ErrorCode::failure,
                stopped ? "take over: it was stopped before it was ready"
                        : "take over: the picture of the cluster is not in force within 30 s" +
                              (cluster_->trouble().empty() ? "" : ": " + cluster_->trouble()),
                stopped ? "" : "the running agent goes on; is the controller connected and allowed to watch?"};
            predecessor_->give_up(why);
            return why;
        }
        if (!runtime_.terminator()) return Error{ErrorCode::failure, "take over: the new terminator has ended"};
        return {};
    }

    void note_take_over(const loader::TakeReport& report, std::optional<TimeNs> stopped_at) {
        const Offer& offer = predecessor_->offer();
        const TimeNs took = (report.end - report.begin) / kMicrosecond;
        const TimeNs blind = stopped_at && *stopped_at < report.end ? (report.end - *stopped_at) / kMicrosecond : 0;
        verbs_.note_take_over({{"pid", offer.pid},
                               {"version", offer.version},
                               {"at", kube::rfc3339(kube::wall_now())},
                               {"hooks", report.hooks},
                               {"switch_us", took},
                               {"blind_us", blind}});
        spdlog::info("took over pid={} version={} hooks={} switch={}us blind={}us", offer.pid, offer.version,
                     report.hooks, took, blind);
    }

    void open_to_successors() {
        door_.emplace(io_, TakeOverDoor::Owner{doors_.control, doors_.take_over, store_, runtime_, cloning_,
                                               [this](bool frozen) { freeze(frozen); }, [this] { io_.stop(); }});
        verbs_.attend(*door_);
    }

    void freeze(bool frozen) {
        terminator_.hold(frozen);
        if (cluster_) cluster_->hold(frozen);
        if (!frozen) schedule_refresh();
    }

    bool frozen() const { return door_ && door_->switching(); }

    // Asked to stop in the middle of a switch: whose the places are must be known first. The door's patience ends it.
    void await_switch() {
        io_.restart();
        while (frozen() && !door_->taken()) io_.run_one();
    }

    // Everything is the successor's by now but what is still in flight here.
    Result<void> leave_to_successor(control::ControlServer& server) {
        doors_.control.leave_file();
        doors_.take_over.leave_file();
        server.stop_accepting();
        io_.restart();
        const auto deadline = std::chrono::steady_clock::now() + kClientPatience;
        while (server.clients() > 0 && io_.run_one_until(deadline) > 0) {
        }
        end_side_processes();
        door_->let_go();
        terminator_.end();
        runtime_.await_captured(kCapturePatience);
        runtime_.stop();
        if (const auto reading = runtime_.ledger().read()) log_totals(*reading);
        spdlog::info("ended in favour of \"{}\"", door_->successor());
        return {};
    }

    void attend_cluster() {
        if (!doors_.controller && !options_.kubernetes) return;
        cluster_.emplace(io_, store_, runtime_, group_);
        if (doors_.controller) cluster_->listen(*doors_.controller);
        verbs_.attend(*cluster_);
    }

    void start_controller_process() {
        if (!options_.kubernetes) return;
        controller_.emplace(io_, "controller", [this]() -> Result<ChildProcess> {
            UniqueFd connection;
            auto started = start_controller(options_, connection);
            cluster_->close();
            if (started) cluster_->adopt(std::move(connection));
            return started;
        });
        controller_->begin();
    }

    void start_exporter_process() {
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
        if (frozen()) return;
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
            if (!frozen()) cloning_.observe(observe(runtime_, monotonic_now()));
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
    Doors& doors_;
    TakeOver* predecessor_;
    CloneSwitch cloning_;
    Verbs verbs_;
    asio::io_context io_{1};
    asio::steady_timer refresh_timer_{io_};
    asio::steady_timer observe_timer_{io_};
    TerminatorLife terminator_;
    std::optional<Cluster> cluster_;
    std::optional<SideProcess> controller_, exporter_;
    std::optional<TakeOverDoor> door_;
    std::optional<Watched> predecessor_end_;
    bool refresh_pending_ = false;
};

// Numbers of devices mean something within one network namespace only.
Result<void> enter_networks(const AgentOptions& options, const TakeOver* predecessor) {
    if (!options.netns.empty()) {
        if (auto entered = enter_network(options.netns); !entered) return entered;
    }
    if (!predecessor || predecessor->offer().netns == network_identity()) return {};
    return Error{ErrorCode::usage, "take over: the running agent works in another network namespace",
                 "start this one there, or with the same --netns"};
}

}  // namespace

Result<void> run_agent(const AgentOptions& options) {
    start_log(options.log_level);
    auto datapath = datapath_options(options);
    if (!datapath) return datapath.error();
    const auto settings = terminator_settings(options, datapath->queue_length);
    if (!settings) return settings.error();
    const auto trip = trip_settings(options, *settings);
    if (!trip) return trip.error();
    auto predecessor = find_predecessor(options);
    if (!predecessor) return predecessor.error();
    TakeOver* const taken = *predecessor ? &**predecessor : nullptr;
    auto store = load_rules(options, taken ? taken->offer().documents : CarriedDocuments{});
    if (!store) return store.error();
    if (taken) taken->offer().documents.clear();
    auto signals = block_signals();
    if (!signals) return signals.error();
    auto doors = open_doors(options, taken);
    if (!doors) return doors.error();
    if (auto entered = enter_networks(options, taken); !entered) return entered;
    if (auto reduced = become_loader(); !reduced) return reduced;

    datapath->hold = taken != nullptr;
    datapath->predecessor_own = taken ? taken->offer().own.get() : -1;
    auto runtime = Runtime::make(*datapath, *settings);
    if (!runtime) return runtime.error();
    return Agent({options, *store, **runtime, *trip, *doors, taken}).run(signals->get());
}

}  // namespace umbra::agent
