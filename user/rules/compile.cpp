#include "rules/compile.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "rules/attach_policies.h"
#include "rules/host_name.h"
#include "rules/resolve.h"
#include "rules/shadowing.h"

#include "umbra/abi/limits.h"

namespace umbra::rules {

namespace {

// How a rule concerns one endpoint as the server of one port of one host.
struct Coverage {
    std::size_t rule = 0;
    bool selected = false;
};

struct HostPort {
    std::string host;
    std::uint16_t port = 0;
    auto operator<=>(const HostPort&) const = default;
};

// One list of candidates, and the first among them that mirrors.
struct Choice {
    const HostPort* where = nullptr;
    std::vector<Coverage> list;
    std::size_t first_mirroring = 0;
};

class Compiler {
public:
    Compiler(const DocumentSet& documents, const CompileOptions& options, Diagnostics& diagnostics)
        : documents_(documents), options_(options), diagnostics_(diagnostics) {}

    Plan run() {
        resolve_all();
        report_dead_rules(rules_, diagnostics_);
        report_mirror_loops(rules_, diagnostics_);
        choose_origins();
        return build();
    }

private:
    using Coverages = std::map<HostPort, std::vector<Coverage>>;

    void resolve_all() {
        Registry registry(documents_, options_.cluster_domain);
        const ResolveContext context{registry, options_.cluster_domain, diagnostics_, options_.targets, options_.node};
        const auto policies = attach_policies(documents_, diagnostics_);
        for (const auto* rule : documents_.all<RouteRule>()) {
            const auto policy = policies.find(rule->key());
            rules_.push_back(resolve_rule(*rule, policy == policies.end() ? nullptr : policy->second, context));
        }
        std::sort(rules_.begin(), rules_.end(), [](const ResolvedRule& a, const ResolvedRule& b) {
            return a.plan.precedence != b.plan.precedence ? a.plan.precedence > b.plan.precedence
                                                          : a.plan.key < b.plan.key;
        });
        if (rules_.size() > UMBRA_MAX_RULES) report_limit(UMBRA_MAX_RULES, "rules", UMBRA_MAX_RULES);
        check_sources();
    }

    void check_sources() {
        std::size_t total = 0;
        for (std::size_t i = 0; i < rules_.size(); ++i) {
            total += rules_[i].plan.sources.size();
            if (total > UMBRA_MAX_SOURCES) return report_limit(i, "source prefixes of all rules", UMBRA_MAX_SOURCES);
        }
    }

    void report_limit(std::size_t rule, const std::string& what, std::size_t limit) {
        diagnostics_.add(Severity::error, rules_[rule].rule->location, "",
                         "RouteRule " + rules_[rule].plan.key + ": more than " + std::to_string(limit) + " " + what,
                         "this is a fixed limit; use fewer or wider rules");
    }

    bool mirrors(const Coverage& coverage, std::uint16_t port) const {
        return coverage.selected && rules_[coverage.rule].plan.is_live_at(port);
    }

    void choose_origins() {
        std::map<Endpoint, Coverages> endpoints;
        for (std::size_t i = 0; i < rules_.size(); ++i) {
            for (const auto& covered : rules_[i].covered) {
                if (!covered.elsewhere) add(endpoints[covered.endpoint], i, covered);
            }
        }
        for (const auto& [endpoint, coverages] : endpoints) choose(endpoint, coverages);
    }

    // An endpoint may come twice for one host, e.g. from two EndpointSlices.
    static void add(Coverages& coverages, std::size_t rule, const Covered& covered) {
        auto& list = coverages[{covered.host, covered.service_port}];
        if (list.empty() || list.back().rule != rule) {
            list.push_back({rule, covered.selected});
        } else {
            list.back().selected = list.back().selected || covered.selected;
        }
    }

    // Best first, up to the first catch-all; empty when nothing in it mirrors.
    Choice make_choice(const HostPort& where, const std::vector<Coverage>& coverages) const {
        Choice choice{&where, {}, 0};
        std::size_t used = 0;
        bool found = false;
        for (const auto& coverage : coverages) {
            const auto& rule = rules_[coverage.rule].plan;
            choice.list.push_back(coverage);
            const bool stand_in = !rule.mirrors.empty() && !coverage.selected;
            if (!stand_in) used = choice.list.size();
            if (!found && mirrors(coverage, where.port)) {
                choice.first_mirroring = coverage.rule;
                found = true;
            }
            if (is_catch_all(rule)) break;
        }
        choice.list.resize(found ? used : 0);
        return choice;
    }

    // Which host or port the client called cannot be told at the endpoint: the best rule decides.
    void choose(const Endpoint& endpoint, const Coverages& coverages) {
        std::vector<Choice> choices;
        for (const auto& [where, list] : coverages) {
            auto choice = make_choice(where, list);
            if (!choice.list.empty()) choices.push_back(std::move(choice));
        }
        if (choices.empty()) return;
        std::stable_sort(choices.begin(), choices.end(),
                         [](const Choice& a, const Choice& b) { return a.first_mirroring < b.first_mirroring; });
        for (std::size_t i = 1; i < choices.size(); ++i) report_other_host(endpoint, choices[0], choices[i]);
        auto& best = choices.front();
        if (best.list.size() > UMBRA_MAX_CANDIDATES) report_candidates(endpoint, best.list[UMBRA_MAX_CANDIDATES].rule);
        if (origins_.size() == UMBRA_MAX_ENDPOINTS) {
            report_limit(best.first_mirroring, "origin endpoints", UMBRA_MAX_ENDPOINTS);
        }
        origins_.push_back({endpoint, *best.where, std::move(best.list)});
    }

    void report_other_host(const Endpoint& endpoint, const Choice& best, const Choice& other) {
        const auto& loser = rules_[other.first_mirroring];
        if (best.where->host == other.where->host || best.first_mirroring == other.first_mirroring) return;
        if (!reported_hosts_.insert({best.where->host, other.where->host}).second) return;
        diagnostics_.add(Severity::warning, loser.rule->location, "",
                         "RouteRule " + loser.plan.key + " does not apply at " + endpoint.to_string() +
                             ": it serves '" + best.where->host + "' too, and " +
                             rules_[best.first_mirroring].plan.key + " comes first",
                         "which service the client called cannot be told at an endpoint of both");
    }

    void report_candidates(const Endpoint& endpoint, std::size_t rule) {
        if (!crowded_.insert(rule).second) return;
        report_limit(rule, "rules compete for the endpoint " + endpoint.to_string(), UMBRA_MAX_CANDIDATES);
    }

    Plan build() {
        std::set<std::size_t> stood_in;
        for (const auto& origin : origins_) {
            for (const auto& candidate : origin.list) {
                if (is_stand_in(candidate)) stood_in.insert(candidate.rule);
            }
        }
        Plan plan;
        std::vector<std::uint32_t> index(rules_.size());
        for (std::size_t i = 0; i < rules_.size(); ++i) {
            index[i] = static_cast<std::uint32_t>(plan.rules.size());
            plan.rules.push_back(rules_[i].plan);
            if (stood_in.count(i) > 0) plan.rules.push_back(stand_in_for(rules_[i].plan));
        }
        if (rules_.size() <= UMBRA_MAX_RULES && slot_keys(plan).size() > UMBRA_MAX_RULES) {
            report_limit(rules_.size() - 1,
                         "rules, counting one more for each further mirror and each rule whose route leaves out "
                         "endpoints",
                         UMBRA_MAX_RULES);
        }
        for (const auto& origin : origins_) {
            PlanOrigin entry{origin.endpoint, origin.where.host, origin.where.port, {}};
            for (const auto& candidate : origin.list) {
                entry.candidates.push_back(index[candidate.rule] + (is_stand_in(candidate) ? 1 : 0));
            }
            plan.origins.push_back(std::move(entry));
        }
        return plan;
    }

    bool is_stand_in(const Coverage& coverage) const {
        return !rules_[coverage.rule].plan.mirrors.empty() && !coverage.selected;
    }

    // "#" sorts before every character of a name: the stand-in comes directly after its rule.
    static PlanRule stand_in_for(const PlanRule& rule) {
        PlanRule result = rule;
        result.key += kStandInSuffix;
        result.protocol = Protocol::automatic;
        result.mirrors.clear();
        return result;
    }

    struct Origin {
        Endpoint endpoint;
        HostPort where;
        std::vector<Coverage> list;
    };

    const DocumentSet& documents_;
    const CompileOptions& options_;
    Diagnostics& diagnostics_;
    std::vector<ResolvedRule> rules_;
    std::vector<Origin> origins_;
    std::set<std::size_t> crowded_;
    std::set<std::pair<std::string, std::string>> reported_hosts_;
};

}  // namespace

Plan compile(const DocumentSet& documents, const CompileOptions& options, Diagnostics& diagnostics) {
    return Compiler(documents, options, diagnostics).run();
}

}  // namespace umbra::rules
