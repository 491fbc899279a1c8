#include "agent/agent.h"

#include <fmt/ranges.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <sys/signalfd.h>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "agent/privileges.h"
#include "agent/runtime.h"
#include "agent/verbs.h"
#include "control/server.h"
#include "loader/link_watcher.h"
#include "rules/listing.h"

namespace umbra::agent {

namespace {

using asio::posix::descriptor_base;
using std::chrono::milliseconds;

constexpr const char* kReaderGroup = "umbra";
constexpr milliseconds kRefreshDelay{50};
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{5000};
constexpr std::chrono::seconds kSteadyLife{10};  // a terminator that lives longer starts the back-off anew

// A descriptor that somebody else owns, in the io_context.
class Watched {
public:
    Watched(asio::io_context& io, int fd) : descriptor_(io, fd) {}
    ~Watched() { descriptor_.release(); }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

    template <class Action>
    void when_readable(Action action) {
        descriptor_.async_wait(descriptor_base::wait_read, [action](const asio::error_code& error) {
            if (!error) action();
        });
    }

private:
    asio::posix::stream_descriptor descriptor_;
};

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
    Agent(const AgentOptions& options, RuleStore& store, Runtime& runtime)
        : options_(options), store_(store), runtime_(runtime), verbs_(options, runtime, store) {}

    Result<void> run(const control::Listener& listener, int signals) {
        if (auto used = runtime_.use(store_.plan()); !used) return used;
        if (auto started = runtime_.start_terminator(); !started) return started;
        auto links = loader::LinkWatcher::make();
        if (!links) return links.error();
        auto server = control::ControlServer::make(
            io_, listener,
            [this](const control::Peer& peer, const control::Json& request) { return verbs_.answer(peer, request); },
            {.readers = control::find_group(kReaderGroup)});
        if (!server) return server.error();
        Watched link_events(io_, links->fd());
        watch_links(*links, link_events);
        Watched signal_events(io_, signals);
        signal_events.when_readable([this] { io_.stop(); });
        watch_terminator();
        log_ready();
        io_.run();
        spdlog::info("stopping");
        process_.reset();
        runtime_.stop();
        return {};
    }

private:
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

    void watch_terminator() {
        started_ = std::chrono::steady_clock::now();
        process_.emplace(io_, runtime_.terminator()->process_fd());
        process_->when_readable([this] { on_terminator_end(); });
    }

    void on_terminator_end() {
        process_.reset();
        const std::string how = runtime_.terminator_ended();
        if (std::chrono::steady_clock::now() - started_ > kSteadyLife) pause_ = kFirstPause;
        spdlog::error("the terminator ended how=\"{}\"; nothing is mirrored, restart in {} ms", how, pause_.count());
        restart_timer_.expires_after(pause_);
        pause_ = std::min(pause_ * 2, kLongestPause);
        restart_timer_.async_wait([this](const asio::error_code& error) {
            if (!error) restart_terminator();
        });
    }

    void restart_terminator() {
        const auto started = runtime_.start_terminator();
        if (!started) {
            spdlog::error("the terminator could not be restarted: {}", started.error().message);
            return on_terminator_end();
        }
        spdlog::info("the terminator runs again pid={}", runtime_.terminator()->pid());
        watch_terminator();
    }

    const AgentOptions& options_;
    RuleStore& store_;
    Runtime& runtime_;
    Verbs verbs_;
    asio::io_context io_{1};
    asio::steady_timer refresh_timer_{io_};
    asio::steady_timer restart_timer_{io_};
    std::optional<Watched> process_;
    std::chrono::steady_clock::time_point started_;
    milliseconds pause_ = kFirstPause;
    bool refresh_pending_ = false;
};

Result<TerminatorSettings> terminator_settings(const AgentOptions& options, std::uint32_t queue_length) {
    TerminatorSettings settings;
    settings.limits = default_limits(options.workers);
    for (const auto& assignment : options.limits)
        if (auto set = set_limit(settings.limits, assignment); !set) return set.error();
    if (!options.inject_loss.empty()) {
        const auto loss = parse_injected_loss(options.inject_loss);
        if (!loss) return loss.error();
        settings.injected_loss = *loss;
    }
    settings.queue_length = queue_length;
    settings.one_sided = options.one_sided;
    settings.identity = terminator_identity();
    std::uint64_t seed = 0;
    if (::getrandom(&seed, sizeof(seed), 0) == sizeof(seed)) settings.limits.reassembly.hash_seed = seed;
    return settings;
}

Result<RuleStore> load_rules(const std::vector<std::string>& files) {
    RuleStore store;
    if (files.empty()) return store;
    auto outcome = store.propose_files(files);
    const std::string findings = rules::print_diagnostics(outcome.diagnostics);
    std::fputs(findings.c_str(), stderr);
    if (!outcome.ok) return Error{ErrorCode::invalid_rules, "start, agent: the rules are not valid"};
    store.accept(std::move(outcome));
    return store;
}

void start_log(const std::string& level) {
    auto logger = std::make_shared<spdlog::logger>("umbra", std::make_shared<spdlog::sinks::stderr_sink_st>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    logger->set_level(spdlog::level::from_str(level));
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
}

}  // namespace

Result<void> run_agent(const AgentOptions& options) {
    start_log(options.log_level);
    loader::DatapathOptions datapath;
    datapath.workers = options.workers;
    datapath.mode = options.attach;
    datapath.ifaces = options.ifaces;
    const auto settings = terminator_settings(options, datapath.queue_length);
    if (!settings) return settings.error();
    auto store = load_rules(options.files);
    if (!store) return store.error();
    auto signals = block_signals();
    if (!signals) return signals.error();
    auto listener = control::Listener::bind(options.socket, control::find_group(kReaderGroup));
    if (!listener) return listener.error();
    if (auto reduced = become_loader(); !reduced) return reduced;

    auto runtime = Runtime::make(datapath, *settings);
    if (!runtime) return runtime.error();
    return Agent(options, *store, **runtime).run(*listener, signals->get());
}

}  // namespace umbra::agent
