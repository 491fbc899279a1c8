#include "rules/resolve.h"

#include <algorithm>

#include "rules/host_name.h"
#include "rules/prefix_set.h"
#include "rules/resolve_mirror.h"
#include "rules/suggest.h"

namespace umbra::rules {

namespace {

class RuleResolver {
public:
    RuleResolver(const RouteRule& rule, const MirrorPolicy* policy, const ResolveContext& context)
        : rule_(rule), policy_(policy), context_(context) {
        result_.rule = &rule;
    }

    ResolvedRule run() {
        auto& plan = result_.plan;
        plan.key = rule_.key();
        plan.precedence = rule_.precedence;
        plan.destination = host_of(rule_.destination);
        plan.request = rule_.match.request;
        result_.destination_subnets = normalized(rule_.match.destination_subnets);
        resolve_sources();
        const auto hosts = context_.registry.matching(plan.destination);
        if (hosts.empty()) report_unknown(rule_.destination, "spec.destination", "the rule matches no traffic");
        resolve_mirrors(hosts);
        for (const auto* host : hosts) cover_destination(*host);
        for (std::size_t i = 0; i < rule_.route.size(); ++i) cover_entry(i, hosts);
        check_selection(hosts);
        return std::move(result_);
    }

private:
    std::string host_of(const ServiceRef& ref) const { return resolve_host(ref, rule_.ns, context_.cluster_domain); }

    void warn(Position at, std::string path, std::string message, std::string hint = {}) {
        context_.diagnostics.add(Severity::warning, {rule_.location.file, at}, std::move(path), std::move(message),
                                 std::move(hint));
    }

    void report_unknown(const ServiceRef& ref, std::string path, const std::string& effect) {
        const auto host = host_of(ref);
        auto hint = did_you_mean(host, context_.registry.host_names());
        if (!ref.domain.empty() && ref.domain.find("svc.") == std::string::npos) {
            hint =
                "an explicit domain is used as written; the cluster's is svc." + std::string(context_.cluster_domain);
        }
        if (hint.empty()) hint = "give its Service and Pods, or a ServiceEntry, with -f";
        context_.diagnostics.add({Severity::warning, rule_.location.file, ref.at.line, ref.at.column, std::move(path),
                                  "no document describes the host '" + host + "': " + effect, std::move(hint), true});
    }

    void resolve_sources() {
        auto& plan = result_.plan;
        const auto subnets = normalized(rule_.match.source_subnets);
        plan.source_restricted = !subnets.empty();
        plan.sources = subnets;
        if (!rule_.match.source) return;
        const auto& source = *rule_.match.source;
        if (source.service == "*" && source.labels.empty()) return;
        auto workload = workload_prefixes(source);
        plan.sources = subnets.empty() ? std::move(workload) : intersection(workload, subnets);
        plan.source_restricted = true;
    }

    std::vector<IpPrefix> workload_prefixes(const ServiceRef& source) {
        const auto host = host_of(source);
        std::vector<IpPrefix> prefixes;
        const auto block = IpPrefix::parse(host);
        if (block && source.labels.empty()) return normalized({*block});
        bool shared = false;
        const auto hosts = context_.registry.matching(host);
        for (const auto* entry : hosts) {
            for (const auto& instance : entry->instances) {
                if (block && !block->contains(instance.address)) continue;
                if (!labels_match(source.labels, *instance.labels)) continue;
                prefixes.push_back({instance.address, 128});
                shared = shared || instance.shared_address;
            }
        }
        if (hosts.empty()) {
            report_unknown(source, "spec.match.source", "no client fits");
        } else if (prefixes.empty()) {
            warn(source.at, "spec.match.source", "no workload of '" + host + "' fits: the rule matches no traffic");
        }
        if (shared) {
            warn(source.at, "spec.match.source",
                 "a source pod has its node's address: other clients on that node match too",
                 "pods with hostNetwork cannot be told apart by address");
        }
        return normalized(std::move(prefixes));
    }

    void resolve_mirrors(const std::vector<const HostEntry*>& hosts) {
        static const MirrorOptions kPlain;
        if (rule_.mirror) {
            const WrittenMirror own{*rule_.mirror, rule_.ns, rule_.location.file, "spec.mirror"};
            add_mirror(own, policy_ ? policy_->options : kPlain, hosts);
        }
        if (!policy_) return;
        for (std::size_t i = 0; i < policy_->mirrors.size(); ++i) {
            const auto& [ref, options] = policy_->mirrors[i];
            add_mirror({ref, policy_->ns, policy_->location.file, "spec.mirrors[" + std::to_string(i) + "]"}, options,
                       hosts);
        }
        result_.plan.protocol = policy_->protocol;
        check_policy();
    }

    void add_mirror(const WrittenMirror& written, const MirrorOptions& options,
                    const std::vector<const HostEntry*>& hosts) {
        if (result_.plan.mirrors.empty()) first_mirror_ = {{written.file, written.ref.at}, written.path};
        auto& mirror = result_.plan.mirrors.emplace_back();
        mirror.percent = options.percent;
        mirror.settings = options.settings;
        shadows_.merge(resolve_mirror(written, hosts, context_, mirror));
    }

    void check_policy() {
        if (result_.plan.mirrors.empty()) {
            context_.diagnostics.add(Severity::warning, policy_->location, "",
                                     "MirrorPolicy " + policy_->key() + ": RouteRule " + rule_.key() +
                                         " has no mirror, and the policy names none: nothing is mirrored",
                                     "name one with spec.mirror of the rule, or with spec.mirrors of the policy");
        }
        if (policy_->protocol == Protocol::raw && !rule_.match.request.empty()) {
            context_.diagnostics.add(Severity::warning, policy_->location, "spec.protocol",
                                     "RouteRule " + rule_.key() +
                                         " matches requests, and raw bytes are none: "
                                         "nothing is mirrored",
                                     "remove the rule's match.request or the policy's protocol");
        }
    }

    bool in_destination_subnets(const IpAddress& address) const {
        return result_.destination_subnets.empty() || contains(result_.destination_subnets, address);
    }

    // A CIDR block as destination: the address itself, or a host with a cluster IP in the block.
    bool in_destination_block(const HostEntry& host, const IpAddress& address) const {
        const auto& text = result_.plan.destination;
        const auto block = text.find('/') == std::string::npos ? std::nullopt : IpPrefix::parse(text);
        return !block || block->contains(address) ||
               std::any_of(host.addresses.begin(), host.addresses.end(),
                           [&](const IpAddress& own) { return block->contains(own); });
    }

    bool is_active(const RouteEntry& entry) const { return rule_.route.size() == 1 || entry.weight > 0; }

    bool route_selects(const HostEntry& host, const Labels& labels) const {
        if (rule_.route.empty()) return true;
        return std::any_of(rule_.route.begin(), rule_.route.end(), [&](const RouteEntry& entry) {
            const bool here = !entry.destination || host_matches(host_of(*entry.destination), host.host);
            return here && is_active(entry) && labels_match(entry.labels, labels);
        });
    }

    // Its own node's agent mirrors it.
    bool is_elsewhere(const Instance& instance) const {
        return !context_.node.empty() && !instance.node.empty() && instance.node != context_.node;
    }

    void cover(const HostEntry& host, const Instance& instance, bool selected) {
        if (!in_destination_subnets(instance.address)) return;
        for (const auto& [service_port, port] : instance.ports) {
            const Endpoint endpoint{instance.address, port};
            const bool own_mirror = shadows_.count(endpoint) > 0;
            if (selected && own_mirror) ++excluded_;
            if (selected && !own_mirror) ++selected_;
            result_.covered.push_back(
                {endpoint, host.host, service_port, selected && !own_mirror, is_elsewhere(instance)});
        }
    }

    void cover_destination(const HostEntry& host) {
        for (const auto& instance : host.instances) {
            if (!in_destination_block(host, instance.address)) continue;
            cover(host, instance, route_selects(host, *instance.labels));
        }
    }

    // An entry may send the calls on to another service: its endpoints serve them.
    void cover_entry(std::size_t index, const std::vector<const HostEntry*>& destinations) {
        const auto& entry = rule_.route[index];
        const auto path = "spec.route[" + std::to_string(index) + "]";
        if (!is_active(entry)) return;
        auto hosts = destinations;
        if (entry.destination) hosts = context_.registry.matching(host_of(*entry.destination));
        if (entry.destination && hosts.empty()) report_unknown(*entry.destination, path, "the entry selects nothing");
        bool found = false;
        for (const auto* host : hosts) {
            const bool covered = std::find(destinations.begin(), destinations.end(), host) != destinations.end();
            for (const auto& instance : host->instances) {
                found = found || instance.unknown_pod;
                if (!labels_match(entry.labels, *instance.labels)) continue;
                found = true;
                if (!covered) cover(*host, instance, true);
            }
        }
        if (!found && !hosts.empty()) {
            warn(entry.at, path, "no endpoint of '" + hosts.front()->host + "' has the entry's labels",
                 "kubectl get pods --show-labels shows what there is");
        }
    }

    void check_selection(const std::vector<const HostEntry*>& hosts) {
        if (hosts.empty() || selected_ > 0 || excluded_ == 0) return;
        context_.diagnostics.add(Severity::warning, first_mirror_.first, first_mirror_.second,
                                 "every endpoint of the route is also one of the mirror: nothing is mirrored",
                                 "flows to a mirror's endpoint are never mirrored; select versions with labels");
    }

    const RouteRule& rule_;
    const MirrorPolicy* policy_;
    const ResolveContext& context_;
    ResolvedRule result_;
    std::pair<Location, std::string> first_mirror_;  // where it is written
    std::set<Endpoint> shadows_;
    std::size_t selected_ = 0;
    std::size_t excluded_ = 0;
};

}  // namespace

ResolvedRule resolve_rule(const RouteRule& rule, const MirrorPolicy* policy, const ResolveContext& context) {
    return RuleResolver(rule, policy, context).run();
}

}  // namespace umbra::rules
