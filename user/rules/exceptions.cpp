#include "rules/exceptions.h"

#include "rules/limits.h"
#include "rules/object.h"
#include "rules/source_text.h"
#include "rules/yaml_reader.h"

namespace umbra::rules {

namespace {

using enum LimitKind;
using enum Action;

constexpr FixedLimit kLimits[] = {
    {"file_bytes", bytes, kMaxFileBytes, refuse_document, "error", "a larger file", "one file of rules"},
    {"input_bytes", bytes, kMaxInputBytes, refuse_document, "error", "more of them", "all files of one command"},
    {"input_files", count, kMaxFiles, refuse_document, "error", "a file more", "files of one command"},
    {"document_depth", count, kMaxDepth, refuse_document, "error", "a level more", "levels of a document"},
    {"document_values", count, kMaxValues, refuse_document, "error", "a value more", "values of a document"},
    {"alias_values", count, kMaxAliasedValues, refuse_document, "error", "aliases of aliases",
     "values that aliases add to a document"},
    {"object_bytes", bytes, kMaxObjectBytes, refuse_document, "error", "a larger object", "one object"},
    {"expression", bytes, kMaxExpression, refuse_document, "error", "a longer expression", "a regular expression"},
    {"expression_memory", bytes, kMaxExpressionMemory, refuse_document, "error", "(300 letters){1000}",
     "a compiled regular expression"},
    {"policy_mirrors", count, kMaxMirrors, refuse_document, "error", "a mirror more", "further mirrors of a policy"},
    {"exclusion_rounds", count, kMaxRounds, refuse_document, "error", "objects that contradict each other in turn",
     "attempts to leave invalid objects of the cluster out"},
    {"findings", count, kMaxFindings, cut_short, "error", "a document with more faults", "findings that are printed"},
    {"diff_cells", count, kMaxDiffCells, cut_short, "-", "two documents of many lines",
     "compared lines, old times new; past it all of them are shown"},
};

}  // namespace

std::vector<ExceptionRow> list_limits() { return fixed_rows(kLimits); }

}  // namespace umbra::rules
