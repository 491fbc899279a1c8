// Picture: what the watches say the cluster holds, each object once however many watches see it, as the text that the
// feed carries. It knows which objects differ from what was taken from it last, and keeps to its limits: past them new
// objects are left out and counted.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "kube/feed.h"

namespace umbra::kube {

struct PictureLimits {
    std::size_t objects = 100'000;
    std::size_t bytes = 128u << 20;  // of the objects' text and names
    std::size_t object_bytes = 1u << 20;
};

using WatchId = std::uint32_t;

class Picture {
public:
    explicit Picture(PictureLimits limits) : limits_(limits) {}

    // What one watch sees. A list is swapped in by difference: what is not put until it ends is gone.
    void list_begins(WatchId watch);
    // version: the resourceVersion as a number; an object that another watch has told in a newer one is not turned
    // back.
    void put(WatchId watch, const ObjectName& name, std::string text, std::uint64_t version);
    void remove(WatchId watch, const ObjectName& name);
    void list_ends(WatchId watch);
    void drop(WatchId watch);  // the watch is no more

    // Of what differs, as much as fits one frame: texts to send, names that went.
    struct Part {
        std::vector<std::string> objects;
        std::vector<ObjectName> deleted;
        bool empty() const { return objects.empty() && deleted.empty(); }
    };
    Part take(std::size_t most_objects, std::size_t most_bytes);
    bool pending() const { return !pending_.empty(); }
    // The receiver is a new one and knows nothing.
    void resend_all();

    std::size_t objects() const { return entries_.size(); }
    std::size_t bytes() const { return bytes_; }
    std::size_t objects_of(WatchId watch) const;
    std::uint64_t left_out(WatchId watch) const;  // of the last list and since
    // "2 objects above 1048576 bytes left out, the last is Pod a/b"; empty when nothing is left out.
    std::string complaint(WatchId watch) const;

private:
    struct Entry {
        std::string text;
        std::uint64_t version = 0;
        std::uint32_t holders = 0;
    };
    using Entries = std::map<ObjectName, Entry>;
    struct View {
        std::unordered_map<Entries::value_type*, std::uint32_t> held;  // and the list that saw it last
        std::uint32_t list = 0;
        std::uint64_t too_large = 0, no_room = 0;
        std::string last_too_large;
    };

    bool has_room(std::size_t more_objects, std::size_t more_bytes) const;
    void release(Entries::value_type* entry);
    void forget(View& view, const ObjectName& name);

    PictureLimits limits_;
    Entries entries_;
    std::map<WatchId, View> views_;
    std::set<ObjectName> pending_;
    std::size_t bytes_ = 0;
};

}  // namespace umbra::kube
