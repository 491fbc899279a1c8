// Text to documents: splits a stream at its "---" lines, so that one broken document does not hide the errors of
// the next, and builds trees of Node. Bounded in depth, values, aliases and size. No document's meaning is known here.
#pragma once

#include <string>
#include <vector>

#include "rules/diagnostic.h"
#include "rules/source_text.h"
#include "rules/yaml_node.h"

namespace umbra::rules {

inline constexpr std::size_t kMaxDepth = 64;
inline constexpr std::size_t kMaxValues = 4'000'000;       // of one document
inline constexpr std::size_t kMaxAliasedValues = 100'000;  // that aliases may add to one document

struct YamlDocument {
    Node root;
    std::string text;  // as written, without the "---" line
};

// Every syntax error, duplicate key and crossed limit is reported; only sound, non-empty documents are returned.
std::vector<YamlDocument> read_yaml(const SourceText& source, Diagnostics& diagnostics);

}  // namespace umbra::rules
