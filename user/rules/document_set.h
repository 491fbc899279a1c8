// DocumentSet: the objects that the agent holds, one per kind, namespace and name. A value: changing it means making
// a changed copy and swapping it in when everything about it proved right.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rules/diagnostic.h"
#include "rules/object.h"

namespace umbra::rules {

class DocumentSet {
public:
    // Objects of the same key are replaced. Two different objects of one key among the new ones are an error.
    void merge(std::vector<Object> objects, Diagnostics& diagnostics);
    // name: "NAME" or "NAMESPACE/NAME". False when there is no such object; a bare name found in several namespaces
    // is looked up in "default" only.
    bool remove(std::string_view kind, std::string_view name);

    const Object* find(const ObjectKey& key) const;
    const Object* find_named(std::string_view kind, std::string_view name) const;
    const Object* find_rule(std::string_view name) const { return find_named("RouteRule", name); }
    const std::map<ObjectKey, std::shared_ptr<const Object>>& objects() const { return objects_; }
    // Objects of another set, shared with it, where this one has none of the same key.
    void add_beneath(const DocumentSet& other);
    void put(Object object) {
        auto key = object.key;
        objects_.insert_or_assign(std::move(key), std::make_shared<const Object>(std::move(object)));
    }
    void erase(const ObjectKey& key) { objects_.erase(key); }

    // All objects of a kind, by namespace and name.
    template <class T>
    std::vector<const T*> all() const {
        std::vector<const T*> found;
        for (const auto& [key, object] : objects_) {
            if (const auto* value = std::get_if<T>(&object->value)) found.push_back(value);
        }
        return found;
    }

private:
    std::map<ObjectKey, std::shared_ptr<const Object>> objects_;  // shared by the set's copies
};

}  // namespace umbra::rules
