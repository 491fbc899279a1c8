#include "rules/object.h"

#include <algorithm>
#include <array>

#include "rules/decode_kubernetes.h"
#include "rules/decode_mirror_policy.h"
#include "rules/decode_route_rule.h"
#include "rules/decode_service_entry.h"
#include "rules/json_node.h"
#include "rules/suggest.h"
#include "rules/yaml_reader.h"

namespace umbra::rules {

namespace {

constexpr std::string_view kRouteRuleVersion = "config.istio.io/v1alpha2";
constexpr std::string_view kMirrorPolicyVersion = "umbra.dev/v1alpha1";
// Groups whose objects say how traffic is routed or mirrored: leaving one out must not go unseen.
constexpr std::array<std::string_view, 4> kRoutingGroups{"config.istio.io", "networking.istio.io",
                                                         "gateway.networking.k8s.io", "umbra.dev"};
constexpr std::array<std::string_view, 2> kRuleKinds{"RouteRule", "MirrorPolicy"};

// An object within a stream, before its kind is known.
struct Item {
    const Node& root;
    std::string api_version;
    std::string kind;
    std::string text;
    std::string path;  // within a List
};

template <class T>
Object make_object(std::string_view kind, T value, std::string text) {
    Object object{{std::string(kind), value.ns, value.name}, value.location, std::move(text), {}};
    object.value = std::move(value);
    return object;
}

std::string group_of(std::string_view api_version) { return std::string(api_version.substr(0, api_version.find('/'))); }

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

class ObjectDecoder {
public:
    ObjectDecoder(const SourceText& source, Diagnostics& diagnostics) : context_{source.name, diagnostics, source.ns} {}

    void add_document(const YamlDocument& document) {
        const FieldReader fields(context_, document.root, "");
        if (!fields.is_map()) return;
        Item item{document.root, fields.text("apiVersion").value_or(""), fields.text("kind").value_or(""),
                  document.text, ""};
        for (const std::string_view name : {"apiVersion", "kind"}) {
            if (!fields.has(name)) fields.error(name, "is required", "every document names its apiVersion and kind");
        }
        if (!item.api_version.empty() && !item.kind.empty()) add(std::move(item));
    }

    void add_api_object(const Node& root, const std::string& kind) {
        const FieldReader fields(context_, root, "");
        const bool written = kind == "RouteRule" || kind == "MirrorPolicy";
        add({root, fields.text("apiVersion").value_or(""), kind, written ? to_yaml(root) + "\n" : "", ""});
    }

    std::vector<Object> take() { return std::move(objects_); }

private:
    void add(Item item) {
        if (is_list(item)) return add_list(item);
        if (item.text.size() > kMaxObjectBytes) {
            return report(Severity::error, item,
                          "the object is larger than " + std::to_string(kMaxObjectBytes) + " bytes");
        }
        const auto& version = item.api_version;
        if (item.kind == "RouteRule") {
            if (has_version(item, kRouteRuleVersion)) keep(item, decode_route_rule(context_, item.root));
            return;
        }
        if (item.kind == "MirrorPolicy") {
            if (has_version(item, kMirrorPolicyVersion)) keep(item, decode_mirror_policy(context_, item.root));
            return;
        }
        if (version == "v1" && item.kind == "Service") return keep(item, decode_service(context_, item.root));
        if (version == "v1" && item.kind == "Pod") return keep(item, decode_pod(context_, item.root));
        if (item.kind == "EndpointSlice" && starts_with(version, "discovery.k8s.io/v1")) {
            return keep(item, decode_endpoint_slice(context_, item.root));
        }
        if (item.kind == "ServiceEntry" && starts_with(version, "networking.istio.io/v1")) {
            return keep(item, decode_service_entry(context_, item.root));
        }
        report_unused(item);
    }

    template <class T>
    void keep(Item& item, T value) {
        objects_.push_back(make_object(item.kind, std::move(value), std::move(item.text)));
    }

    bool has_version(const Item& item, std::string_view wanted) {
        if (item.api_version == wanted) return true;
        report(Severity::error, item, "'" + item.api_version + "' has no kind " + item.kind,
               "apiVersion: " + std::string(wanted));
        return false;
    }

    static bool is_list(const Item& item) {
        const auto* items = item.root.find("items");
        const bool named = item.kind.size() >= 4 && item.kind.substr(item.kind.size() - 4) == "List";
        return named && (item.kind == "List" || (items && items->value.kind != Node::Kind::map));
    }

    // `List` has items with kinds of their own, `PodList` may leave them out.
    void add_list(const Item& list) {
        const FieldReader fields(context_, list.root, list.path);
        const auto item_kind = list.kind.substr(0, list.kind.size() - 4);
        for (const auto& entry : fields.messages("items")) {
            Item item{entry.node(), entry.text("apiVersion").value_or(item_kind.empty() ? "" : list.api_version),
                      entry.text("kind").value_or(item_kind), "", entry.path()};
            if (item.api_version.empty() || item.kind.empty()) {
                entry.error_here("an item of a List needs apiVersion and kind");
                continue;
            }
            if (is_list(item)) {
                entry.error_here("a List within a List");
                continue;
            }
            item.text = to_yaml(entry.node()) + "\n";
            add(std::move(item));
        }
    }

    void report_unused(const Item& item) {
        const auto group = group_of(item.api_version);
        if (std::find(kRoutingGroups.begin(), kRoutingGroups.end(), group) == kRoutingGroups.end()) {
            return report(Severity::note, item, "does not concern mirroring; ignored");
        }
        if (!closest_name(item.kind, kRuleKinds).empty()) {
            return report(Severity::error, item, "unknown kind '" + item.kind + "'",
                          did_you_mean(item.kind, kRuleKinds));
        }
        report(Severity::warning, item, "kind not supported yet by this version; ignored",
               "rules are taken from RouteRule, " + std::string(kRouteRuleVersion));
    }

    void report(Severity severity, const Item& item, std::string message, std::string hint = {}) {
        std::string ns = context_.ns, name = "(no name)";
        if (const auto* metadata = item.root.value("metadata")) {
            if (const auto* node = metadata->value("namespace")) ns = node->text;
            if (const auto* node = metadata->value("name")) name = node->text;
        }
        context_.diagnostics.add(severity, {context_.file, item.root.at}, item.path,
                                 item.kind + " " + ns + "/" + name + ": " + std::move(message), std::move(hint));
    }

    DecodeContext context_;
    std::vector<Object> objects_;
};

}  // namespace

std::vector<Object> decode_objects(const SourceText& source, Diagnostics& diagnostics) {
    ObjectDecoder decoder(source, diagnostics);
    for (const auto& document : read_yaml(source, diagnostics)) decoder.add_document(document);
    return decoder.take();
}

std::optional<Object> decode_api_object(const nlohmann::ordered_json& json, Diagnostics& diagnostics) {
    const Node root = node_from_json(json);
    const auto text = [](const Node* parent, std::string_view name) {
        const Node* value = parent ? parent->value(name) : nullptr;
        return value ? value->text : std::string();
    };
    const Node* metadata = root.value("metadata");
    const std::string kind = text(&root, "kind");
    const SourceText source{kind + " " + text(metadata, "namespace") + "/" + text(metadata, "name"), {}};
    ObjectDecoder decoder(source, diagnostics);
    decoder.add_api_object(root, kind);
    auto objects = decoder.take();
    return objects.empty() ? std::nullopt : std::optional(std::move(objects.front()));
}

}  // namespace umbra::rules
