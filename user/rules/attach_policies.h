// Which policy is for which rule.
#pragma once

#include <map>
#include <string>

#include "rules/document_set.h"

namespace umbra::rules {

// By the rule's key. A policy without its rule is a warning, a second policy for one rule an error.
std::map<std::string, const MirrorPolicy*> attach_policies(const DocumentSet& documents, Diagnostics& diagnostics);

}  // namespace umbra::rules
