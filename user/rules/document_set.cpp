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
    for (auto& [key, object] : added) put(std::move(object));
}

void DocumentSet::add_beneath(const DocumentSet& other) {
    objects_.insert(other.objects_.begin(), other.objects_.end());
}

const Object* DocumentSet::find(const ObjectKey& key) const {
    const auto found = objects_.find(key);
    return found == objects_.end() ? nullptr : found->second.get();
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
        only = object.get();
        ++count;
    }
    return count <= 1 ? only : find({std::string(kind), "default", std::string(name)});
}

bool DocumentSet::remove(std::string_view kind, std::string_view name) {
    const auto* object = find_named(kind, name);
    if (!object) return false;
    const auto key = object->key;
    objects_.erase(key);
    return true;
}

}  // namespace umbra::rules
