// Object: one document as the agent holds it, decoded and with its source text. decode_objects() knows the kinds.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "rules/diagnostic.h"
#include "rules/mirror_policy.h"
#include "rules/registry_objects.h"
#include "rules/route_rule.h"
#include "rules/source_text.h"

namespace umbra::rules {

struct ObjectKey {
    std::string kind;
    std::string ns;
    std::string name;
    auto operator<=>(const ObjectKey&) const = default;

    std::string to_string() const { return kind + " " + ns + "/" + name; }
};

struct Object {
    ObjectKey key;
    Location location;
    std::string text;  // YAML, as written where the object was a document of its own
    std::variant<RouteRule, MirrorPolicy, Service, Pod, EndpointSlice, ServiceEntry> value;
};

inline constexpr std::size_t kMaxObjectBytes = 1u << 20;

// Lists are taken apart. Kinds that do not concern mirroring give a note, kinds that could but are not supported a
// warning. Objects with errors are among the results: use them only when no error was reported.
std::vector<Object> decode_objects(const SourceText& source, Diagnostics& diagnostics);

// One object of an API, whose findings are named after it ("RouteRule default/x"). Nothing, with a finding, when it is
// no object of a kind that is read. The text of rules and policies is kept, that of the registry's objects is not.
std::optional<Object> decode_api_object(const nlohmann::ordered_json& json, Diagnostics& diagnostics);

}  // namespace umbra::rules
