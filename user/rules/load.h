// From paths or texts to a plan in one call: read, decode, merge, compile. All or nothing: with any error the outcome
// holds the documents as they were before.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/compile.h"
#include "rules/document_set.h"
#include "rules/source_text.h"

namespace umbra::rules {

struct LoadOutcome {
    DocumentSet set;
    Plan plan;  // empty unless ok
    std::vector<Diagnostic> diagnostics;
    bool ok = false;
};

LoadOutcome load_paths(const std::vector<std::string>& paths, const CompileOptions& options = {});

// Merged over what there is; objects of the same kind, namespace and name are replaced.
LoadOutcome apply_sources(const DocumentSet& base, const std::vector<SourceText>& sources,
                          const CompileOptions& options = {});

// name: "NAME" or "NAMESPACE/NAME".
LoadOutcome remove_rule(const DocumentSet& base, std::string_view name, const CompileOptions& options = {});
LoadOutcome remove_policy(const DocumentSet& base, std::string_view name, const CompileOptions& options = {});

}  // namespace umbra::rules
