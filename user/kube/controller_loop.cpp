#include "kube/controller_loop.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

#include "kube/trim.h"
#include "kube/wall_time.h"

namespace umbra::kube {

namespace {

constexpr TimeNs kReleasePatience = 2 * kSecond;

Random seeded_random() {
    auto engine = std::make_shared<std::mt19937_64>(std::random_device{}());
    return [engine] { return std::uniform_real_distribution<double>(0, 1)(*engine); };
}

FeedLink make_link(const ControllerOptions& options, const Random& random) {
    return options.socket_fd >= 0 ? FeedLink(UniqueFd(options.socket_fd)) : FeedLink(options.socket, random);
}

// Versions of objects count up; what is no number is older than any.
std::uint64_t version_of(const Json& object) {
    const std::string text = text_at(object, {"metadata", "resourceVersion"});
    std::uint64_t version = 0;
    std::from_chars(text.data(), text.data() + text.size(), version);
    return version;
}

// Where the leases are: a kubeconfig's namespace is its user's affair.
std::string lease_namespace(const ControllerOptions& options, const ClusterConfig& config) {
    if (!options.ns.empty()) return options.ns;
    const std::string pod = process_environment("POD_NAMESPACE");
    if (!pod.empty()) return pod;
    return config.source == "pod" && !config.ns.empty() ? config.ns : "umbra-system";
}

// Two pods of one node may run at once while one replaces the other.
std::string identity_of(const std::string& node) {
    const std::string pod = process_environment("POD_NAME");
    return pod.empty() ? node : pod;
}

bool is(const WatchSource& source, const Resource& resource) { return source.scope->resource == &resource; }

bool has_status(const WatchSource& source) { return is(source, kRouteRules) || is(source, kMirrorPolicies); }

}  // namespace

Result<std::unique_ptr<ControllerLoop>> ControllerLoop::make(const ControllerOptions& options) {
    auto config = find_cluster(options.config, process_environment);
    if (!config) return config.error();
    if (auto token = current_token(*config); !token) return token.error();
    auto client = ApiClient::make(*config);
    if (!client) return client.error();
    std::string ns = lease_namespace(options, *config);
    return std::unique_ptr<ControllerLoop>(
        new ControllerLoop(options, std::move(*config), std::move(ns), std::move(*client)));
}

ControllerLoop::ControllerLoop(const ControllerOptions& options, ClusterConfig config, std::string ns,
                               std::unique_ptr<ApiClient> client)
    : server_(config.server),
      node_(options.node),
      ns_(std::move(ns)),
      start_(wall_now() - static_cast<double>(monotonic_now()) / 1e9),
      client_(std::move(client)),
      random_(seeded_random()),
      picture_(options.limits),
      status_(*client_, node_, identity_of(node_), ns_, random_),
      watches_(*client_, *this, options.watches, random_),
      link_(make_link(options, random_)),
      session_(picture_, {}) {
    spdlog::info("server={} source={} node={} namespace={}", server_, config.source, node_, ns_);
}

void ControllerLoop::list_begins(const WatchSource& source) {
    if (is(source, kLeases)) return status_.nodes().list_begins();
    picture_.list_begins(source.id);
    if (has_status(source)) status_.book().list_begins(*source.scope->resource);
}

void ControllerLoop::put(const WatchSource& source, const Json& object) {
    const Resource& resource = *source.scope->resource;
    if (is(source, kLeases)) {
        status_.nodes().put(object, monotonic_now(), wall_now());
        return status_.nodes_changed();
    }
    if (has_status(source)) status_.book().put(resource, source.version, object);
    const auto trimmed = trim(resource, source.version, object);
    if (!trimmed) return;
    picture_.put(source.id, name_of(resource, object), control::encode(*trimmed), version_of(object));
}

void ControllerLoop::removed(const WatchSource& source, const Json& object) {
    if (is(source, kLeases)) {
        status_.nodes().removed(object);
        return status_.nodes_changed();
    }
    if (has_status(source)) status_.book().removed(*source.scope->resource, object);
    picture_.remove(source.id, name_of(*source.scope->resource, object));
}

void ControllerLoop::list_ends(const WatchSource& source) {
    if (is(source, kLeases)) {
        status_.nodes().list_ends();
        return status_.nodes_changed();
    }
    picture_.list_ends(source.id);
    if (has_status(source)) status_.book().list_ends(*source.scope->resource);
}

void ControllerLoop::dropped(const WatchSource& source) {
    if (is(source, kLeases)) return status_.nodes().clear();
    picture_.drop(source.id);
}

std::set<Scope> ControllerLoop::scopes(TimeNs now) const {
    auto scopes = scopes_for(demand_, node_);
    if (status_.leads(now)) scopes.insert({&kLeases, ns_, {}, std::string(kRoleLabel) + "=node"});
    return scopes;
}

void ControllerLoop::read_loader(TimeNs now) {
    link_.step(now);
    if (link_.connected() && std::exchange(connects_seen_, link_.connects()) != link_.connects()) session_.begin(now);
    for (const Json& message : link_.take()) {
        if (const auto demand = message.find("demand"); demand != message.end()) {
            auto read = demand_from(*demand);
            if (!read) {
                spdlog::error("{}", read.error().message);
                continue;
            }
            demand_ = std::move(*read);
            session_.demand_arrived();
        }
        if (const auto report = message.find("report"); report != message.end()) {
            auto read = report_from(*report);
            if (read) status_.report(std::move(*read), now);
            if (!read) spdlog::error("{}", read.error().message);
        }
    }
}

void ControllerLoop::write_loader(TimeNs now) {
    while (link_.has_room()) {
        const auto frame = session_.next(
            watches_.settled(), [this] { return health(); }, now);
        if (!frame) break;
        link_.send(*frame);
    }
    link_.step(now);
}

void ControllerLoop::ask_version(TimeNs now) {
    if (!version_.empty() || now < version_at_) return;
    version_at_ = ~TimeNs{0};
    ApiRequest request;
    request.path = "/version";
    request.most_body = 64u << 10;
    client_->start(std::move(request), {nullptr, nullptr, [this](const ApiAnswer& answer) {
                                            const auto json = parse_json(answer.body);
                                            if (answer.status == 200 && json) version_ = text_at(*json, {"gitVersion"});
                                            version_at_ = monotonic_now() + version_backoff_.next(random_);
                                        }});
}

TimeNs ControllerLoop::wake_at() const {
    TimeNs at = std::min({watches_.wake_at(), link_.wake_at(), status_.wake_at(link_.connected())});
    if (version_.empty()) at = std::min(at, version_at_);
    if (link_.has_room()) at = std::min(at, session_.wake_at());
    return at;
}

Json ControllerLoop::health() const {
    return {{"server", server_},
            {"version", version_},
            {"node", node_},
            {"leader", status_.leader()},
            {"is_leader", status_.leads(monotonic_now())},
            {"message", status_.message()},
            {"requests", client_->requests()},
            {"failures", client_->failures()},
            {"resources", watches_.health(picture_, start_)}};
}

bool ControllerLoop::step(int signals) {
    TimeNs now = monotonic_now();
    std::vector<pollfd> descriptors{{signals, POLLIN, 0}};
    if (const auto wanted = link_.wants()) descriptors.push_back(*wanted);
    const TimeNs at = wake_at();
    client_->wait(descriptors, at > now ? at - now : 0);
    if (descriptors[0].revents != 0) return false;
    now = monotonic_now();
    read_loader(now);
    watches_.want(scopes(now), now);
    watches_.step(now);
    status_.step(link_.connected(), now);
    ask_version(now);
    client_->step(now);
    watches_.step(now);
    write_loader(now);
    return true;
}

Result<void> ControllerLoop::run(int signals) {
    while (step(signals)) {
        if (link_.ended()) return Error{ErrorCode::failure, "serve, loader: it closed the connection"};
    }
    spdlog::info("stopping");
    give_up_lead();
    return {};
}

void ControllerLoop::give_up_lead() {
    const TimeNs until = monotonic_now() + kReleasePatience;
    status_.release(monotonic_now());
    while (!status_.released() && monotonic_now() < until) {
        std::vector<pollfd> none;
        client_->wait(none, 100 * kMillisecond);
        client_->step(monotonic_now());
        status_.release(monotonic_now());
    }
}

}  // namespace umbra::kube
