#include "kube/watch_set.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "kube/wall_time.h"

namespace umbra::kube {

namespace {

constexpr TimeNs kSilenceMargin = 30 * kSecond;

}  // namespace

std::set<Scope> scopes_for(const Demand& demand, const std::string& node) {
    std::set<Scope> scopes{{&kRouteRules, {}, {}, {}},
                           {&kMirrorPolicies, {}, {}, {}},
                           {&kServiceEntries, {}, {}, {}},
                           {&kNamespaces, {}, {}, {}}};
    scopes.insert({&kPods, {}, "spec.nodeName=" + node, {}});
    const bool everything = demand.everything || demand.namespaces.size() > kMaxNamespaceWatches;
    for (const Resource* resource : {&kServices, &kEndpointSlices}) {
        if (everything) scopes.insert({resource, {}, {}, {}});
        if (everything) continue;
        for (const auto& ns : demand.namespaces) scopes.insert({resource, ns, {}, {}});
    }
    const bool all_pods = demand.pod_namespaces.size() > kMaxNamespaceWatches;
    if (all_pods) scopes.insert({&kPods, {}, {}, {}});
    for (const auto& ns : demand.pod_namespaces) {
        if (!all_pods) scopes.insert({&kPods, ns, {}, {}});
    }
    return scopes;
}

class WatchSet::Watch : public ReflectorSink {
public:
    Watch(WatchSet& set, WatchId id, const Scope& scope)
        : reflector(scope, set.options_.timings, set.random_, set.now_), id_(id), receiver_(set.receiver_) {}

    void list_begins() override { receiver_.list_begins(source()); }
    void put(const Json& object) override { receiver_.put(source(), object); }
    void removed(const Json& object) override { receiver_.removed(source(), object); }
    void list_ends() override { receiver_.list_ends(source()); }

    WatchSource source() const { return {id_, &reflector.scope(), reflector.version()}; }
    // Says once what is new.
    void log() {
        const auto& health = reflector.health();
        const std::string now = std::string(state_name(health.state)) + health.message;
        if (std::exchange(said_, now) == now) return;
        if (!health.message.empty() && health.state != ReflectorState::absent) {
            spdlog::warn("{}", health.message);
        } else {
            spdlog::info("{}: {}", describe(reflector.scope()), state_name(health.state));
        }
    }

    Reflector reflector;
    ApiClient::RequestId request = 0;  // 0: none
    bool lists = false;                // the request is a list

private:
    WatchId id_;
    WatchReceiver& receiver_;
    std::string said_ = "listing";
};

WatchSet::WatchSet(ApiClient& client, WatchReceiver& receiver, WatchOptions options, Random random)
    : client_(client), receiver_(receiver), options_(options), random_(std::move(random)) {}

WatchSet::~WatchSet() {
    for (auto& [scope, watch] : watches_) client_.cancel(watch->request);
}

void WatchSet::want(const std::set<Scope>& scopes, TimeNs now) {
    now_ = now;
    std::set<const Resource*> unsettled;
    for (const Scope& scope : scopes) {
        auto& watch = watches_[scope];
        if (!watch) watch = std::make_unique<Watch>(*this, ++last_id_, scope);
        if (!watch->reflector.settled()) unsettled.insert(scope.resource);
    }
    for (auto watch = watches_.begin(); watch != watches_.end();) {
        if (scopes.contains(watch->first) || unsettled.contains(watch->first.resource)) {
            ++watch;
            continue;
        }
        if (watch->second->request != 0 && watch->second->lists) --lists_;
        client_.cancel(watch->second->request);
        receiver_.dropped(watch->second->source());
        watch = watches_.erase(watch);
    }
}

bool WatchSet::may_ask(const Watch& watch) const {
    return !watch.reflector.lists_next() || lists_ < options_.lists_at_once;
}

void WatchSet::step(TimeNs now) {
    now_ = now;
    for (auto& [scope, watch] : watches_) {
        if (!may_ask(*watch)) continue;
        if (const auto due = watch->reflector.due(now)) ask(*watch, *due);
    }
}

void WatchSet::ask(Watch& watch, const Ask& ask) {
    ApiRequest request;
    request.path = ask.path;
    request.stream = ask.watch;
    request.fresh_connection = ask.fresh_connection;
    request.patience = options_.list_patience;
    if (ask.watch) {
        const TimeNs asked = ask.watch_seconds * kSecond;
        request.patience = options_.silence != 0 ? options_.silence : asked + kSilenceMargin;
    }
    watch.lists = !ask.watch;
    if (watch.lists) ++lists_;
    ApiReceiver receiver;
    receiver.on_open = [this, &watch] {
        watch.reflector.opened(now_);
        watch.log();
    };
    receiver.on_line = [this, &watch](std::string_view line) { return watch.reflector.line(line, watch, now_); };
    receiver.on_done = [this, &watch](const ApiAnswer& answer) {
        watch.request = 0;
        if (watch.lists) --lists_;
        watch.reflector.finished(answer, watch, now_);
        watch.log();
    };
    watch.request = client_.start(std::move(request), std::move(receiver));
}

TimeNs WatchSet::wake_at() const {
    TimeNs at = ~TimeNs{0};
    for (const auto& [scope, watch] : watches_) {
        if (may_ask(*watch)) at = std::min(at, watch->reflector.wake_at());
    }
    return at;
}

bool WatchSet::settled() const {
    return std::ranges::all_of(watches_, [](const auto& entry) {
        return entry.first.resource == &kLeases || entry.second->reflector.settled();
    });
}

Json WatchSet::health(const Picture& picture, double start) const {
    Json resources = Json::array();
    for (const auto& [scope, watch] : watches_) {
        const ReflectorHealth& health = watch->reflector.health();
        const WatchId id = watch->source().id;
        std::string message = health.message;
        const std::string complaint = picture.complaint(id);
        if (!complaint.empty()) message += (message.empty() ? "" : "; ") + complaint;
        resources.push_back({{"resource", scope.resource->plural},
                             {"scope", scope_name(scope)},
                             {"state", state_name(health.state)},
                             {"objects", picture.objects_of(id)},
                             {"lists", health.lists},
                             {"watches", health.watches},
                             {"errors", health.errors},
                             {"message", message},
                             {"since", rfc3339(start + static_cast<double>(health.since) / 1e9)}});
    }
    return resources;
}

}  // namespace umbra::kube
