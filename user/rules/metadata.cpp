#include "rules/metadata.h"

#include "rules/host_name.h"

namespace umbra::rules {

Metadata decode_metadata(const FieldReader& document) {
    Metadata metadata;
    metadata.ns = document.context().ns;
    const auto fields = document.message("metadata");
    if (!fields) {
        if (!document.has("metadata")) document.error("metadata", "is required", "give the object a metadata.name");
        return metadata;
    }
    metadata.name = fields->text("name").value_or("");
    const auto* name = fields->get("name");
    if (!name || (name->kind == Node::Kind::string && name->text.empty())) {
        fields->error("name", "is required");
    } else if (!metadata.name.empty() && (!is_domain_name(metadata.name) || metadata.name.size() > 253)) {
        fields->error("name", "'" + metadata.name + "' is not a name: lower-case letters, digits, '-' and '.' only");
    }
    const auto ns = fields->text("namespace").value_or("");
    if (!ns.empty()) metadata.ns = ns;
    if (!is_dns_label(metadata.ns)) fields->error("namespace", "'" + ns + "' must be a DNS label");
    metadata.labels = fields->text_map("labels");
    metadata.terminating = fields->has("deletionTimestamp");
    return metadata;
}

void check_metadata_fields(const FieldReader& document) {
    const auto* node = document.get("metadata");
    if (!node || node->kind != Node::Kind::map) return;
    document.message("metadata")
        ->allow_only({"name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation",
                      "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations",
                      "ownerReferences", "initializers", "finalizers", "clusterName", "managedFields"});
}

}  // namespace umbra::rules
