// TargetTable: the mirror targets in use, kept as values so that a new plan can replace the old one at any time.
// Owns the round-robin position of each target and the breaker of each endpoint.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/ip_address.h"
#include "replay/breaker.h"

namespace umbra {

struct Target {
    std::vector<Endpoint> endpoints;
    std::size_t next = 0;     // round robin
    std::uint32_t users = 0;  // requests and flows that refer to it
    bool contains(const Endpoint& endpoint) const;
};

// Counts itself as a user of its target.
class TargetRef {
public:
    TargetRef() = default;
    explicit TargetRef(Target* target) : target_(target) { ++target_->users; }
    TargetRef(TargetRef&& other) noexcept : target_(std::exchange(other.target_, nullptr)) {}
    TargetRef& operator=(TargetRef&& other) noexcept {
        std::swap(target_, other.target_);
        return *this;
    }
    ~TargetRef() {
        if (target_) --target_->users;
    }
    Target* operator->() const { return target_; }
    Target* get() const { return target_; }
    explicit operator bool() const { return target_ != nullptr; }

private:
    Target* target_ = nullptr;
};

class TargetTable {
public:
    explicit TargetTable(const ReplayLimits& limits) : limits_(limits) {}

    // latest: the target used last, which is most likely the same.
    TargetRef find(const std::vector<Endpoint>& endpoints, Target* latest);
    Breaker& breaker(const Endpoint& endpoint);
    // Forgets targets without users, and breakers of endpoints that no target has.
    void purge();

private:
    const ReplayLimits& limits_;
    std::map<std::vector<Endpoint>, std::unique_ptr<Target>> targets_;
    std::unordered_map<Endpoint, Breaker> breakers_;
};

}  // namespace umbra
