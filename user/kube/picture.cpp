#include "kube/picture.h"

#include <utility>

namespace umbra::kube {

namespace {

constexpr std::size_t kEntryBytes = 256;  // what an object takes besides its text and name, rounded up

std::size_t cost(const ObjectName& name, const std::string& text) {
    return kEntryBytes + name.kind.size() + name.ns.size() + name.name.size() + text.size();
}

}  // namespace

void Picture::list_begins(WatchId watch) {
    View& view = views_[watch];
    ++view.list;
    view.too_large = view.no_room = 0;
    view.last_too_large.clear();
}

bool Picture::has_room(std::size_t more_objects, std::size_t more_bytes) const {
    return entries_.size() + more_objects <= limits_.objects && bytes_ + more_bytes <= limits_.bytes;
}

void Picture::put(WatchId watch, const ObjectName& name, std::string text, std::uint64_t version) {
    View& view = views_[watch];
    if (text.size() > limits_.object_bytes) {
        ++view.too_large;
        view.last_too_large = name.kind + " " + name.ns + "/" + name.name;
        return forget(view, name);
    }
    auto found = entries_.find(name);
    const bool is_new = found == entries_.end();
    const std::size_t before = is_new ? 0 : cost(name, found->second.text);
    const std::size_t after = cost(name, text);
    if (!has_room(is_new ? 1 : 0, after > before ? after - before : 0)) {
        ++view.no_room;
        return forget(view, name);
    }
    if (is_new) found = entries_.emplace(name, Entry{}).first;
    Entry& entry = found->second;
    const auto [held, joined] = view.held.try_emplace(&*found, view.list);
    held->second = view.list;
    if (joined) ++entry.holders;
    if (!is_new && entry.holders > 1 && version < entry.version) return;
    entry.version = version;
    if (!is_new && entry.text == text) return;
    bytes_ += after - before;
    entry.text = std::move(text);
    pending_.insert(name);
}

// An object that this watch can no longer show: an old state of it would be wrong.
void Picture::forget(View& view, const ObjectName& name) {
    const auto found = entries_.find(name);
    if (found != entries_.end() && view.held.erase(&*found) != 0) release(&*found);
}

void Picture::release(Entries::value_type* entry) {
    if (--entry->second.holders != 0) return;
    const ObjectName name = entry->first;
    bytes_ -= cost(name, entry->second.text);
    entries_.erase(name);
    pending_.insert(name);
}

void Picture::remove(WatchId watch, const ObjectName& name) { forget(views_[watch], name); }

void Picture::list_ends(WatchId watch) {
    View& view = views_[watch];
    for (auto held = view.held.begin(); held != view.held.end();) {
        if (held->second == view.list) {
            ++held;
            continue;
        }
        Entries::value_type* gone = held->first;
        held = view.held.erase(held);
        release(gone);
    }
}

void Picture::drop(WatchId watch) {
    const auto view = views_.find(watch);
    if (view == views_.end()) return;
    for (const auto& [entry, list] : view->second.held) release(entry);
    views_.erase(view);
}

Picture::Part Picture::take(std::size_t most_objects, std::size_t most_bytes) {
    Part part;
    std::size_t bytes = 0;
    while (!pending_.empty() && part.objects.size() + part.deleted.size() < most_objects) {
        const ObjectName& name = *pending_.begin();
        const auto found = entries_.find(name);
        bytes += found == entries_.end() ? cost(name, {}) : found->second.text.size() + 1;
        if (bytes > most_bytes && !part.empty()) break;
        if (found == entries_.end()) {
            part.deleted.push_back(name);
        } else {
            part.objects.push_back(found->second.text);
        }
        pending_.erase(pending_.begin());
    }
    return part;
}

void Picture::resend_all() {
    pending_.clear();
    for (const auto& [name, entry] : entries_) pending_.insert(name);
}

std::size_t Picture::objects_of(WatchId watch) const {
    const auto view = views_.find(watch);
    return view == views_.end() ? 0 : view->second.held.size();
}

std::uint64_t Picture::left_out(WatchId watch) const {
    const auto view = views_.find(watch);
    return view == views_.end() ? 0 : view->second.too_large + view->second.no_room;
}

std::string Picture::complaint(WatchId watch) const {
    const auto found = views_.find(watch);
    if (found == views_.end()) return {};
    const View& view = found->second;
    std::string text;
    if (view.too_large != 0) {
        text = std::to_string(view.too_large) + " objects above " + std::to_string(limits_.object_bytes) +
               " bytes left out, the last is " + view.last_too_large;
    }
    if (view.no_room != 0) {
        text += (text.empty() ? "" : "; ") + std::to_string(view.no_room) + " objects left out: the picture is full (" +
                std::to_string(limits_.objects) + " objects, " + std::to_string(limits_.bytes >> 20) + " MiB)";
    }
    return text;
}

}  // namespace umbra::kube
