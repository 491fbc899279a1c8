// Which rule a flow or request belongs to: the one place where it is decided, for the data path and for `explain`.
//
// What is compared, byte by byte and case-sensitively:
//   uri        the path without query string and fragment; of "http://host/path", its path
//   method     the method
//   authority  the host and port of the Host header, or of "http://host/path", as written
//   scheme     the scheme, "http" unless the target names one
//   other      the value of that header; of a repeated header, one of the values must match
// A header that is absent matches nothing. A regular expression must match the whole value.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rules/pattern.h"
#include "rules/plan.h"

namespace umbra::rules {

// The request conditions of one rule, compiled once. Matching allocates nothing in the steady state.
class RequestMatcher {
public:
    static Result<RequestMatcher> make(const PlanRule& rule);

    bool matches(const RequestView& request) const { return !first_failing(request); }
    // Index into PlanRule::request.
    std::optional<std::size_t> first_failing(const RequestView& request) const;
    bool has_conditions() const { return !conditions_.empty(); }

private:
    struct Condition {
        HeaderCondition text;
        std::optional<Pattern> pattern;
        bool holds(std::string_view value) const;
        bool holds(const RequestView& request) const;
    };
    std::vector<Condition> conditions_;
};

// The matchers of all rules of one plan, by the rule's index. Independent of the plan object's lifetime.
class PlanMatcher {
public:
    static Result<PlanMatcher> make(const Plan& plan);
    const RequestMatcher& rule(std::uint32_t index) const { return rules_[index]; }

private:
    std::vector<RequestMatcher> rules_;
};

// One rule by itself, for single uses: compiles its conditions on every call. An invalid expression matches nothing.
bool request_matches(const PlanRule& rule, const RequestView& request);

// The authority that a request's conditions see.
std::string_view request_authority(const RequestView& request);

// Whether a client's address fits the rule's sources.
bool source_matches(const PlanRule& rule, const IpAddress& client);

// The winning rule among the origin's candidates, as an index into Plan::rules. Without a request (raw TCP, or one
// that is not known) rules with request conditions do not hold. The winner mirrors when it has
// a live_target() for the origin's service port.
std::optional<std::uint32_t> select_rule(const Plan& plan, const PlanMatcher& matcher, const PlanOrigin& origin,
                                         const IpAddress& client, const RequestView* request);

}  // namespace umbra::rules
