#include "agent/cluster.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>

#include "agent/rule_report.h"
#include "control/peer.h"
#include "rules/service_demand.h"

namespace umbra::agent {

namespace {

// In a storm of changes compiling takes a tenth of a core: after each plan so many times its duration pass, at most
// kLongestBurst.
constexpr int kRest = 9;
constexpr std::chrono::steady_clock::duration kLongestBurst = std::chrono::milliseconds(500);
constexpr std::chrono::milliseconds kBurst{20};   // one plan for what comes within it
constexpr std::chrono::seconds kRefusedPause{5};  // then a plan that could not be put in force is tried again

kube::Demand demand_for(const RuleStore& store) {
    const auto demand = rules::demand_of(store.all_documents(), store.cluster_domain());
    return {demand.everything, demand.namespaces, demand.pod_namespaces};
}

}  // namespace

Cluster::Cluster(asio::io_context& io, RuleStore& store, Runtime& runtime, std::optional<gid_t> peers)
    : store_(store),
      runtime_(runtime),
      io_(io),
      peers_(peers),
      feed_(io, {[this](kube::Changes changes) { take(std::move(changes)); },
                 [](const std::string& why) {
                     spdlog::warn("the controller is gone: {}; the last picture of the cluster stays in force", why);
                 }}),
      timer_(io),
      retry_timer_(io) {}

void Cluster::listen(const control::Listener& socket) {
    door_fd_ = socket.fd();
    door_.emplace(io_, door_fd_);
    watch_door();
}

void Cluster::watch_door() {
    door_->when_readable([this] {
        admit(door_fd_);
        watch_door();
    });
}

void Cluster::admit(int door) {
    UniqueFd connection(::accept4(door, nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) return;
    const auto peer = control::identify_peer(connection.get(), peers_);
    if (!peer || !peer->may_read) return spdlog::warn("a controller was refused: its user is not of the agent's group");
    adopt(std::move(connection));
}

void Cluster::adopt(UniqueFd connection) {
    if (!feed_.adopt(std::move(connection))) return spdlog::warn("a second controller was refused");
    spdlog::info("the controller has connected");
    told_demand_ = demand_for(store_);
    told_report_.reset();
    feed_.send(*told_demand_);
    if (synced_) tell();
}

void Cluster::take(kube::Changes changes) {
    if (!changes.health.is_null()) health_ = std::move(changes.health);
    if (changes.reset) {
        store_.live().mark();
        marked_ = true;
    }
    for (const kube::Json& object : changes.objects) store_.live().put(object);
    for (const kube::ObjectName& name : changes.deleted) store_.live().erase({name.kind, name.ns, name.name});
    const bool changed = changes.reset || !changes.objects.empty() || !changes.deleted.empty();
    changes_ += changes.objects.size() + changes.deleted.size();
    const bool first = changes.synced && (!synced_ || marked_);
    if (changes.synced && marked_) {
        store_.live().sweep();
        marked_ = false;
    }
    if (changes.synced && !synced_) spdlog::info("the picture of the cluster is complete");
    synced_ = synced_ || changes.synced;
    if (changed || first) schedule();
}

void Cluster::schedule() {
    if (pending_) return;
    pending_ = true;
    if (held_) return;
    timer_.expires_after(std::clamp<Clock::duration>(rested_ - Clock::now(), kBurst, kLongestBurst));
    timer_.async_wait([this](const asio::error_code& error) {
        if (error || held_) return;
        pending_ = false;
        const auto begin = Clock::now();
        update();
        rested_ = Clock::now() + kRest * (Clock::now() - begin);
    });
}

void Cluster::hold(bool held) {
    held_ = held;
    if (held || !pending_) return;
    pending_ = false;
    schedule();
}

void Cluster::update() {
    auto outcome = store_.propose_live();
    const bool usable = outcome.errors.empty();
    if (!usable) {
        trouble_ = rules::print_diagnostics(outcome.errors);
        spdlog::error("the cluster's rules and the local ones contradict each other: {}", trouble_);
    } else if (synced_ && outcome.plan != store_.plan()) {
        const auto used = runtime_.use(outcome.plan);
        trouble_ = used ? "" : used.error().message;
        if (!used) spdlog::error("the plan could not be put in force: {}", trouble_);
        if (used) ++plans_;
    } else {
        trouble_.clear();
    }
    const bool refused = usable && !trouble_.empty();
    if (!usable || refused || !synced_) {
        // What came is known to demands and reports; the plan in force is the previous one.
        outcome.plan = store_.plan();
    }
    store_.accept(std::move(outcome));
    tell();
    if (refused) retry();
}

// Besides, so that a change that comes meanwhile need not wait for it.
void Cluster::retry() {
    retry_timer_.expires_after(kRefusedPause);
    retry_timer_.async_wait([this](const asio::error_code& error) {
        if (!error) schedule();
    });
}

void Cluster::tell() {
    if (!feed_.connected()) return;
    const auto demand = demand_for(store_);
    if (demand != told_demand_) {
        feed_.send(demand);
        told_demand_ = demand;
    }
    if (!synced_ || runtime_.datapath().held()) return;
    std::string trouble = trouble_;
    if (runtime_.share().paused) trouble = "cloning is paused";
    if (!runtime_.terminator()) trouble = "the terminator does not run";
    auto report = rule_report(store_, trouble);
    if (report == told_report_) return;
    feed_.send(report);
    told_report_ = std::move(report);
}

control::Json Cluster::status() const {
    control::Json rejected = control::Json::array();
    for (const auto& [key, state] : store_.states()) {
        if (state.accepted()) continue;
        rejected.push_back({{"object", key.to_string()}, {"findings", rules::print_diagnostics(state.findings)}});
    }
    control::Json status = health_.is_object() ? health_ : control::Json::object();
    status["connected"] = feed_.connected();
    status["synced"] = synced_;
    status["objects"] = store_.live().size();
    status["changes"] = changes_;
    status["plans"] = plans_;
    status["trouble"] = trouble_;
    status["rejected"] = std::move(rejected);
    return status;
}

}  // namespace umbra::agent
