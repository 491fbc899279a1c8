// WatchSet: the reflectors that run, their requests, and what health says of them. What they bring goes to one
// receiver.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "kube/api_client.h"
#include "kube/feed.h"
#include "kube/picture.h"
#include "kube/reflector.h"

namespace umbra::kube {

struct WatchSource {
    WatchId id = 0;
    const Scope* scope = nullptr;
    std::size_t version = 0;
};

class WatchReceiver {
public:
    virtual ~WatchReceiver() = default;
    virtual void list_begins(const WatchSource& source) = 0;
    virtual void put(const WatchSource& source, const Json& object) = 0;
    virtual void removed(const WatchSource& source, const Json& object) = 0;
    virtual void list_ends(const WatchSource& source) = 0;
    virtual void dropped(const WatchSource& source) = 0;
};

struct WatchOptions {
    ReflectorTimings timings;
    // Of a watch until it counts as dead: servers send bookmarks about every minute. 0: 30 s more than it was asked to
    // last.
    TimeNs silence = 150 * kSecond;
    TimeNs list_patience = 60 * kSecond;
    std::size_t lists_at_once = 4;  // their answers are held whole
};

// What runs for a demand. Many namespaces are cheaper watched together.
inline constexpr std::size_t kMaxNamespaceWatches = 64;
std::set<Scope> scopes_for(const Demand& demand, const std::string& node);

class WatchSet {
public:
    WatchSet(ApiClient& client, WatchReceiver& receiver, WatchOptions options, Random random);
    ~WatchSet();
    WatchSet(const WatchSet&) = delete;
    WatchSet& operator=(const WatchSet&) = delete;

    // Starts what is new; stops what is not wanted any more, but not before all that is wanted of the same resource has
    // its picture: an object that moves from one watch to another must not go and come.
    void want(const std::set<Scope>& scopes, TimeNs now);
    void step(TimeNs now);
    TimeNs wake_at() const;

    bool settled() const;  // every reflector of what the loader is told is
    // A list of {resource, scope, state, objects, lists, watches, errors, message, since}. start: wall time in seconds
    // of monotonic time 0.
    Json health(const Picture& picture, double start) const;

private:
    class Watch;

    void ask(Watch& watch, const Ask& ask);
    bool may_ask(const Watch& watch) const;

    ApiClient& client_;
    WatchReceiver& receiver_;
    WatchOptions options_;
    Random random_;
    std::map<Scope, std::unique_ptr<Watch>> watches_;
    WatchId last_id_ = 0;
    std::size_t lists_ = 0;  // under way
    TimeNs now_ = 0;
};

}  // namespace umbra::kube
