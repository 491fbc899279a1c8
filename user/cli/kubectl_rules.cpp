#include "cli/kubectl_rules.h"

#include <ostream>

namespace umbra::cli {

namespace {

using Sources = std::vector<rules::SourceText>;

void append_scope(const Kubectl& kubectl, std::vector<std::string>& arguments) {
    if (kubectl.options().ns.empty())
        arguments.emplace_back("--all-namespaces");
    else
        arguments.insert(arguments.end(), {"-n", kubectl.options().ns});
}

// A kind that the cluster does not have is no error: it has no objects of it then.
Result<Sources> read_kind(const Kubectl& kubectl, const std::string& kinds, bool optional) {
    std::vector<std::string> arguments{"get", kinds, "-o", "json"};
    append_scope(kubectl, arguments);
    auto text = kubectl.output(std::move(arguments));
    if (text) return Sources{{"cluster: " + kinds, std::move(*text)}};
    if (optional && text.error().message.find("doesn't have a resource type") != std::string::npos) return Sources{};
    if (kubectl.options().ns.empty() && text.error().message.find("forbidden") != std::string::npos)
        text.error().hint = "with -n NAMESPACE only that namespace is read";
    return text.error();
}

Result<Sources> read_kinds(const Kubectl& kubectl, const std::vector<std::string>& kinds, bool optional) {
    Sources all;
    for (const auto& kind : kinds) {
        auto found = read_kind(kubectl, kind, optional);
        if (!found) return found.error();
        for (auto& source : *found) all.push_back(std::move(source));
    }
    return all;
}

Result<Sources> read_files(const std::vector<std::string>& files, const std::string& ns, Console& console) {
    rules::Diagnostics diagnostics;
    auto sources = rules::read_sources(files, diagnostics);
    const bool failed = diagnostics.has_errors();
    console.err << rules::print_diagnostics(diagnostics.take());
    if (failed) return Error{ErrorCode::invalid_rules, "the files cannot be read; nothing was changed"};
    for (auto& source : sources) source.ns = ns;
    return sources;
}

// What the cluster has now. Rules that are not valid together are left out: they are not in force either.
Result<rules::DocumentSet> cluster_set(const Kubectl& kubectl, Console& console) {
    auto registry = read_kinds(kubectl, {"services,pods,endpointslices.discovery.k8s.io"}, false);
    if (!registry) return registry.error();
    auto entries = read_kinds(kubectl, {"serviceentries.networking.istio.io"}, true);
    if (!entries) return entries.error();
    registry->insert(registry->end(), entries->begin(), entries->end());
    const auto present = read_kinds(kubectl, {"routerules.config.istio.io", "mirrorpolicies.umbra.dev"}, true);
    if (!present) return present.error();
    const auto base = rules::apply_sources({}, *registry);
    if (!base.ok) {
        console.err << rules::print_diagnostics(base.diagnostics);
        return Error{ErrorCode::failure, "the cluster's services cannot be read"};
    }
    auto both = rules::apply_sources(base.set, *present);
    if (both.ok) return std::move(both.set);
    console.err << rules::print_diagnostics(both.diagnostics)
                << "note: the cluster's own rules are not valid together; they are left out here\n";
    return base.set;
}

Result<rules::Plan> judge(const Kubectl& kubectl, const Sources& sources, Console& console) {
    const auto base = cluster_set(kubectl, console);
    if (!base) return base.error();
    auto outcome = rules::apply_sources(*base, sources);
    console.err << rules::print_diagnostics(outcome.diagnostics);
    if (!outcome.ok) return Error{ErrorCode::invalid_rules, "the rules are not valid"};
    return std::move(outcome.plan);
}

// The texts as one stream of documents.
std::string joined(const Sources& sources) {
    std::string all;
    for (const auto& source : sources) all += (all.empty() ? "" : "\n---\n") + source.text;
    return all;
}

int print_result(const Result<std::string>& said, Console& console) {
    if (!said) return report(console, said.error());
    console.out << *said;
    return 0;
}

}  // namespace

Result<rules::Plan> cluster_plan(const Kubectl& kubectl, const std::vector<std::string>& files, Console& console) {
    const auto sources = read_files(files, files.empty() ? "" : kubectl.file_namespace(), console);
    if (!sources) return sources.error();
    return judge(kubectl, *sources, console);
}

int apply_rules(const Kubectl& kubectl, const std::vector<std::string>& files, Console& console) {
    const std::string ns = kubectl.file_namespace();
    const auto sources = read_files(files, ns, console);
    if (!sources) return report(console, sources.error());
    const auto plan = judge(kubectl, *sources, console);
    if (!plan) return report(console, plan.error());
    return print_result(kubectl.output({"apply", "-n", ns, "-f", "-"}, joined(*sources)), console);
}

int delete_files(const Kubectl& kubectl, const std::vector<std::string>& files, Console& console) {
    const std::string ns = kubectl.file_namespace();
    const auto sources = read_files(files, ns, console);
    if (!sources) return report(console, sources.error());
    return print_result(kubectl.output({"delete", "-n", ns, "-f", "-"}, joined(*sources)), console);
}

int delete_object(const Kubectl& kubectl, const std::string& what, const std::string& name, Console& console) {
    const auto slash = name.find('/');
    const std::string ns = slash == std::string::npos ? kubectl.file_namespace() : name.substr(0, slash);
    const char* resource = what == "rule" ? "routerules.config.istio.io" : "mirrorpolicies.umbra.dev";
    const std::string plain = slash == std::string::npos ? name : name.substr(slash + 1);
    return print_result(kubectl.output({"delete", resource, "-n", ns, "--", plain}), console);
}

}  // namespace umbra::cli
