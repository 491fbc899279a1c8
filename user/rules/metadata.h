// The part of a document that all kinds share: apiVersion, kind and metadata.
#pragma once

#include <string>

#include "rules/field_reader.h"
#include "rules/route_rule.h"

namespace umbra::rules {

struct Metadata {
    std::string name;
    std::string ns = "default";
    Labels labels;
    bool terminating = false;  // deletionTimestamp is set
};

// Reports a missing or malformed name and namespace.
Metadata decode_metadata(const FieldReader& document);
// Reports fields of `metadata` that Kubernetes does not have; for documents that are written by hand.
void check_metadata_fields(const FieldReader& document);

}  // namespace umbra::rules
