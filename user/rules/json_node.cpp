#include "rules/json_node.h"

#include <nlohmann/json.hpp>

#include "rules/yaml_reader.h"

namespace umbra::rules {

namespace {

using Json = nlohmann::ordered_json;

Node::Kind kind_of(const Json& json) {
    switch (json.type()) {
        case Json::value_t::boolean:
            return Node::Kind::boolean;
        case Json::value_t::number_integer:
        case Json::value_t::number_unsigned:
            return Node::Kind::integer;
        case Json::value_t::number_float:
            return Node::Kind::real;
        case Json::value_t::string:
            return Node::Kind::string;
        case Json::value_t::array:
            return Node::Kind::list;
        case Json::value_t::object:
            return Node::Kind::map;
        default:
            return Node::Kind::null;
    }
}

Node convert(const Json& json, std::size_t depth) {
    Node node;
    if (depth > kMaxDepth) return node;
    node.kind = kind_of(json);
    if (node.kind == Node::Kind::list) {
        for (const Json& item : json) node.items.push_back(convert(item, depth + 1));
    } else if (node.kind == Node::Kind::map) {
        for (const auto& [key, value] : json.items()) node.members.push_back({key, {}, convert(value, depth + 1)});
    } else if (node.kind == Node::Kind::string) {
        node.text = json.get_ref<const std::string&>();
    } else if (node.kind != Node::Kind::null) {
        node.text = json.dump();
    }
    return node;
}

}  // namespace

Node node_from_json(const nlohmann::ordered_json& json) { return convert(json, 0); }

}  // namespace umbra::rules
