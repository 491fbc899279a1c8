// Target: one mirror as a worker knows it: endpoints and settings, and what its requests share: the round-robin
// position, its connections, and the accounts that its limits are held against. A value that outlives the plan it came
// from; owned by the TargetTable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ledger.h"
#include "net/ip_address.h"
#include "replay/connection_pool.h"
#include "replay/limits.h"
#include "replay/tls_context.h"
#include "replay/token_bucket.h"
#include "rules/mirror_settings.h"

namespace umbra {

// Whether requests are spread over connections that clients share. Not where a connection tells whom it is for.
bool shares_connections(const rules::MirrorSettings& settings);

struct Target {
    Target(const std::vector<Endpoint>& at, std::shared_ptr<const rules::MirrorSettings> how,
           const ReplayLimits& worker, TokenBucket& all_mirrors);

    const std::vector<Endpoint> endpoints;
    std::shared_ptr<const rules::MirrorSettings> settings;  // may be replaced by equal ones
    const rules::MirrorTimeouts timeouts;                   // the settings', or the worker's
    const bool edits_heads;
    const bool pooled;                      // shares_connections()
    const std::shared_ptr<TlsContext> tls;  // null without TLS, and where its settings are of no use

    std::vector<std::uint32_t> load;             // by endpoint: requests outstanding, raw flows, attempts to connect
    std::vector<MirrorConnection*> connections;  // open or being made, in no order
    std::uint64_t in_flight = 0;                 // requests sent and not answered
    std::uint64_t queued_bytes = 0;
    RateAccount bucket;
    std::size_t next = 0;  // round robin
    std::size_t next_victim = 0;
    std::uint32_t users = 0;  // requests, flows and connections that refer to it
    TimeNs unused_since = 0;
    std::string reported_failure;
    ConnectionPool pool;

    // Logs the latest TLS failure, once until there is another one.
    void report_tls_failure();

    // A connection made for the other one would do for this one.
    bool connects_like(const Target& other) const;
    bool contains(const Endpoint& endpoint) const { return place_of(endpoint).has_value(); }
    std::optional<std::size_t> place_of(const Endpoint& endpoint) const;

    // Which limit a request of this many bytes would break if it were sent now.
    std::optional<Reason> refuses(std::uint64_t bytes, TimeNs now);
    // False, and nothing changes: the bytes would break the limit of its queues.
    bool queue(std::uint64_t bytes);
    void unqueue(std::uint64_t bytes) { queued_bytes -= bytes; }
    // As many connections as the mirror's limit.
    bool full() const;
    // True if one more connection fits the mirror's limit; one that nothing depends on is closed for it.
    bool make_room();

    void enlist(MirrorConnection& connection);
    void delist(MirrorConnection& connection);
};

// Counts itself as a user of its target.
class TargetRef {
public:
    TargetRef() = default;
    explicit TargetRef(Target* target) : target_(target) {
        if (target_) ++target_->users;
    }
    TargetRef(TargetRef&& other) noexcept : target_(std::exchange(other.target_, nullptr)) {}
    TargetRef& operator=(TargetRef&& other) noexcept {
        std::swap(target_, other.target_);
        return *this;
    }
    ~TargetRef() {
        if (target_) --target_->users;
    }
    Target* operator->() const { return target_; }
    Target& operator*() const { return *target_; }
    Target* get() const { return target_; }
    explicit operator bool() const { return target_ != nullptr; }

private:
    Target* target_ = nullptr;
};

// Something outstanding at one endpoint, in its target's accounts as long as this lives.
class Outstanding {
public:
    enum class Kind : std::uint8_t { request, flow, attempt };
    Outstanding() = default;
    Outstanding(Target& target, std::size_t place, Kind kind);
    Outstanding(Outstanding&& other) noexcept = default;
    Outstanding& operator=(Outstanding&& other) noexcept;
    ~Outstanding();

private:
    TargetRef target_;
    std::size_t place_ = 0;
    Kind kind_ = Kind::attempt;
};

}  // namespace umbra
