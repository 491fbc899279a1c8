#include "rules/document_set.h"

namespace umbra::rules {

void DocumentSet::merge(std::vector<Object> objects, Diagnostics& diagnostics) {
    std::map<ObjectKey, Object> added;
    for (auto& object : objects) {
        const auto first = added.find(object.key);
        if (first == added.end()) {
            auto key = object.key;
            added.emplace(std::move(key), std::move(object));
        } else if (first->second.text != object.text) {
            const auto& other = first->second.location;
            diagnostics.add(Severity::error, object.location, "",
                            object.key.to_string() + ": defined twice, first at " + other.file + ":" +
                                std::to_string(other.at.line),
                            "keep one of the two or give one another name");
        }
    }
    for (auto& [key, object] : added) objects_.insert_or_assign(key, std::move(object));
}

const Object* DocumentSet::find(const ObjectKey& key) const {
    const auto found = objects_.find(key);
    return found == objects_.end() ? nullptr : &found->second;
}

const Object* DocumentSet::find_named(std::string_view kind, std::string_view name) const {
    const auto slash = name.find('/');
    if (slash != std::string_view::npos) {
        return find({std::string(kind), std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))});
    }
    const Object* only = nullptr;
    std::size_t count = 0;
    for (const auto& [key, object] : objects_) {
        if (key.kind != kind || key.name != name) continue;
        only = &object;
        ++count;
    }
    return count <= 1 ? only : find({std::string(kind), "default", std::string(name)});
}

bool DocumentSet::remove(std::string_view kind, std::string_view name) {
    const auto* object = find_named(kind, name);
    if (!object) return false;
    objects_.erase(objects_.find(object->key));
    return true;
}

}  // namespace umbra::rules
