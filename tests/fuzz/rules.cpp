// Rule files: the input is one, read over a registry. Loading is deterministic, applying twice changes
// nothing, and a plan survives its way to the terminator.
#include "fuzz/property.h"
#include "rules/load.h"
#include "rules/plan_json.h"
#include "rules/plan_print.h"

namespace umbra::fuzz {
namespace {

constexpr const char* kRegistry = R"(apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata: {name: httpbin, namespace: default}
spec:
  hosts: [httpbin.default.svc.cluster.local]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 10.0.0.1, labels: {version: v1}}
  - {address: 10.0.0.2, labels: {version: v2}}
)";

void check(const rules::DocumentSet& base, const std::string& text) {
    const auto first = rules::apply_sources(base, {{"input", text}});
    const auto again = rules::apply_sources(base, {{"input", text}});
    require(first.ok == again.ok && first.diagnostics == again.diagnostics, "loading is deterministic");
    for (const auto& diagnostic : first.diagnostics)
        require(!rules::print_diagnostic(diagnostic).empty(), "every finding says something");
    if (!first.ok) {
        require(first.set.objects().size() == base.objects().size(), "an error leaves everything as it was");
        return;
    }
    const std::string plan = rules::print_plan(first.plan), json = rules::plan_to_json(first.plan);
    require(plan == rules::print_plan(again.plan), "the plan is deterministic");
    const auto twice = rules::apply_sources(first.set, {{"input", text}});
    require(twice.ok && rules::print_plan(twice.plan) == plan, "applying twice changes nothing");
    const auto copy = rules::plan_from_json(json);
    require(copy && rules::plan_to_json(*copy) == json, "a plan survives JSON");
}

}  // namespace
}  // namespace umbra::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace umbra;
    const std::string text(reinterpret_cast<const char*>(data), size);
    static const rules::LoadOutcome registry = rules::apply_sources({}, {{"registry", fuzz::kRegistry}});
    fuzz::require(registry.ok, "the registry loads");
    fuzz::check(registry.set, text);
    return 0;
}
