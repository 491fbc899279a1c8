#include "rules/load.h"

#include <iterator>

#include "rules/object.h"
#include "rules/suggest.h"

namespace umbra::rules {

namespace {

LoadOutcome finish(const DocumentSet& base, DocumentSet changed, const CompileOptions& options,
                   Diagnostics& diagnostics) {
    LoadOutcome outcome;
    if (!diagnostics.has_errors() && options.beneath) {
        DocumentSet whole = changed;
        whole.add_beneath(*options.beneath);
        outcome.plan = compile(whole, options, diagnostics);
    } else if (!diagnostics.has_errors()) {
        outcome.plan = compile(changed, options, diagnostics);
    }
    outcome.ok = !diagnostics.has_errors();
    if (outcome.ok) {
        outcome.set = std::move(changed);
    } else {
        outcome.set = base;
        outcome.plan = {};
    }
    outcome.diagnostics = diagnostics.take();
    return outcome;
}

LoadOutcome apply(const DocumentSet& base, const std::vector<SourceText>& sources, const CompileOptions& options,
                  Diagnostics& diagnostics) {
    std::vector<Object> objects;
    for (const auto& source : sources) {
        auto decoded = decode_objects(source, diagnostics);
        std::move(decoded.begin(), decoded.end(), std::back_inserter(objects));
    }
    auto changed = base;
    changed.merge(std::move(objects), diagnostics);
    return finish(base, std::move(changed), options, diagnostics);
}

struct Kind {
    std::string_view name;
    const char* word;
};

template <class T>
LoadOutcome remove(const DocumentSet& base, const Kind& kind, std::string_view name, const CompileOptions& options) {
    Diagnostics diagnostics;
    auto changed = base;
    if (!changed.remove(kind.name, name)) {
        std::vector<std::string_view> names;
        for (const auto* known : base.all<T>()) names.push_back(known->name);
        diagnostics.add(Severity::error, {}, "", std::string("no ") + kind.word + " '" + std::string(name) + "'",
                        did_you_mean(name, names));
    }
    return finish(base, std::move(changed), options, diagnostics);
}

}  // namespace

LoadOutcome load_paths(const std::vector<std::string>& paths, const CompileOptions& options) {
    Diagnostics diagnostics;
    const auto sources = read_sources(paths, diagnostics);
    return apply({}, sources, options, diagnostics);
}

LoadOutcome apply_sources(const DocumentSet& base, const std::vector<SourceText>& sources,
                          const CompileOptions& options) {
    Diagnostics diagnostics;
    return apply(base, sources, options, diagnostics);
}

LoadOutcome remove_rule(const DocumentSet& base, std::string_view name, const CompileOptions& options) {
    return remove<RouteRule>(base, {"RouteRule", "rule"}, name, options);
}

LoadOutcome remove_policy(const DocumentSet& base, std::string_view name, const CompileOptions& options) {
    return remove<MirrorPolicy>(base, {"MirrorPolicy", "policy"}, name, options);
}

}  // namespace umbra::rules
