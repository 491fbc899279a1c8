#include "rules/decode_mirror_policy.h"

#include "rules/decode_mirror_options.h"
#include "rules/host_name.h"
#include "rules/limits.h"
#include "rules/metadata.h"
#include "rules/read_word.h"
#include "rules/service_ref.h"

namespace umbra::rules {

namespace {

constexpr std::string_view kTargetGroup = "config.istio.io";
constexpr std::array<std::string_view, 1> kTargetKinds{"RouteRule"};

void decode_target(const FieldReader& spec, MirrorPolicy& policy) {
    const auto target = spec.message("targetRef");
    if (!target) {
        if (!spec.has("targetRef"))
            spec.error("targetRef", "is required", "targetRef: {kind: RouteRule, name: the rule's name}");
        return;
    }
    target->allow_only({"group", "kind", "name"});
    const auto group = target->text("group").value_or(std::string(kTargetGroup));
    if (group != kTargetGroup) {
        target->error("group", "'" + group + "' has no rules that a policy can be for",
                      "group: " + std::string(kTargetGroup) + ", or leave it out");
    }
    const auto kind = target->text("kind").value_or("");
    if (!target->has("kind")) target->error("kind", "is required", "kind: RouteRule");
    if (!kind.empty() && kind != kTargetKinds[0]) {
        auto hint = did_you_mean(kind, kTargetKinds);
        target->error("kind", "'" + kind + "' is no kind that a policy can be for",
                      hint.empty() ? "kind: RouteRule" : std::move(hint));
    }
    policy.target = target->text("name").value_or("");
    policy.target_at = target->at("name");
    if (!target->has("name")) {
        target->error("name", "is required", "the name of a RouteRule in the policy's namespace");
    } else if (!is_domain_name(policy.target)) {
        target->error("name", "'" + policy.target + "' is no name of a rule",
                      "the rule's metadata.name; its namespace is the policy's");
    }
}

void decode_mirrors(const FieldReader& spec, MirrorPolicy& policy) {
    for (const auto& fields : spec.messages("mirrors")) {
        fields.allow_only({"name", "namespace", "domain", "service", "labels", "percent", "sampling", "host", "headers",
                           "requestId", "marker", "redact", "clientAddress", "tls", "safeMethodsOnly", "loadBalancing",
                           "order", "limits", "timeouts"});
        PolicyMirror mirror{read_service_ref(fields), policy.options};
        decode_mirror_options(fields, policy.rule_key(), mirror.options);
        check_mirror_options(fields, policy.protocol, mirror.options);
        policy.mirrors.push_back(std::move(mirror));
    }
    if (policy.mirrors.size() > kMaxMirrors)
        spec.error("mirrors", "more than " + std::to_string(kMaxMirrors) + " further mirrors", "this is a fixed limit");
}

void decode_spec(const FieldReader& spec, MirrorPolicy& policy) {
    spec.allow_only({"targetRef", "protocol", "percent", "sampling", "host", "headers", "requestId", "marker", "redact",
                     "clientAddress", "tls", "safeMethodsOnly", "loadBalancing", "order", "limits", "timeouts",
                     "mirrors"});
    decode_target(spec, policy);
    read_word(spec, "protocol", kProtocolNames, policy.protocol);
    decode_mirror_options(spec, policy.rule_key(), policy.options);
    check_mirror_options(spec, policy.protocol, policy.options);
    decode_mirrors(spec, policy);
}

}  // namespace

MirrorPolicy decode_mirror_policy(const DecodeContext& context, const Node& document) {
    const FieldReader fields(context, document, "");
    fields.allow_only({"apiVersion", "kind", "metadata", "spec", "status"});
    check_metadata_fields(fields);
    const auto metadata = decode_metadata(fields);
    MirrorPolicy policy;
    policy.name = metadata.name;
    policy.ns = metadata.ns;
    policy.location = {context.file, document.at};
    if (const auto spec = fields.message("spec")) {
        decode_spec(*spec, policy);
    } else if (!fields.has("spec")) {
        fields.error("spec", "is required");
    }
    return policy;
}

}  // namespace umbra::rules
