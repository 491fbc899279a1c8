#include "replay/target.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "edit/edit.h"
#include "replay/mirror_connection.h"

namespace umbra {

namespace {

rules::MirrorTimeouts effective(const rules::MirrorTimeouts& own, const ReplayLimits& worker) {
    const auto choose = [](TimeNs wanted, TimeNs otherwise) { return wanted != 0 ? wanted : otherwise; };
    return {choose(own.connect, worker.connect_timeout), choose(own.response, worker.response_timeout),
            choose(own.idle, worker.idle_timeout)};
}

std::shared_ptr<TlsContext> tls_for(const rules::TlsOrigination& settings) {
    if (!settings.on) return nullptr;
    const auto made = TlsContext::make(settings);
    return made ? *made : nullptr;
}

}  // namespace

bool shares_connections(const rules::MirrorSettings& settings) {
    return settings.order == rules::Order::request && settings.client_address != rules::ClientAddress::proxy_v2;
}

Target::Target(const std::vector<Endpoint>& at, std::shared_ptr<const rules::MirrorSettings> how,
               const ReplayLimits& worker, TokenBucket& all_mirrors)
    : endpoints(at),
      settings(std::move(how)),
      timeouts(effective(settings->timeouts, worker)),
      edits_heads(edit::changes_heads(*settings)),
      pooled(shares_connections(*settings)),
      tls(tls_for(settings->tls)),
      load(at.size()),
      bucket(settings->limits.bytes_per_second, all_mirrors),
      pool(at.size()) {}

bool Target::connects_like(const Target& other) const {
    const auto& here = *settings;
    const auto& there = *other.settings;
    const bool named = !here.tls.on || !here.tls.server_name.empty() || here.host_literal == there.host_literal;
    return here.tls == there.tls && named && here.client_address == there.client_address;
}

void Target::report_tls_failure() {
    if (!tls || tls->last_failure() == reported_failure) return;
    reported_failure = tls->last_failure();
    spdlog::warn("connect to the mirror: {}; its requests are dropped as tls_failed", reported_failure);
}

std::optional<std::size_t> Target::place_of(const Endpoint& endpoint) const {
    const auto found = std::find(endpoints.begin(), endpoints.end(), endpoint);
    if (found == endpoints.end()) return std::nullopt;
    return static_cast<std::size_t>(found - endpoints.begin());
}

std::optional<Reason> Target::refuses(std::uint64_t bytes, TimeNs now) {
    const std::uint32_t most = settings->limits.in_flight;
    if (most != 0 && in_flight >= most) return Reason::mirror_in_flight;
    if (!bucket.has(bytes, now)) return Reason::mirror_rate;
    return std::nullopt;
}

bool Target::queue(std::uint64_t bytes) {
    const std::uint64_t most = settings->limits.queued_bytes;
    if (most != 0 && queued_bytes + bytes > most) return false;
    queued_bytes += bytes;
    return true;
}

bool Target::full() const {
    const std::uint32_t most = settings->limits.connections;
    return most != 0 && connections.size() >= most;
}

bool Target::make_room() {
    if (!full()) return true;
    for (std::size_t looked = 0; looked < connections.size(); ++looked) {
        next_victim = next_victim + 1 < connections.size() ? next_victim + 1 : 0;
        if (connections[next_victim]->evict_if_idle()) return true;
    }
    return false;
}

void Target::enlist(MirrorConnection& connection) {
    connection.target_index = connections.size();
    connections.push_back(&connection);
}

void Target::delist(MirrorConnection& connection) {
    connections.back()->target_index = connection.target_index;
    connections[connection.target_index] = connections.back();
    connections.pop_back();
}

Outstanding::Outstanding(Target& target, std::size_t place, Kind kind) : target_(&target), place_(place), kind_(kind) {
    ++target.load[place];
    if (kind == Kind::request) ++target.in_flight;
}

Outstanding& Outstanding::operator=(Outstanding&& other) noexcept {
    target_ = std::move(other.target_);
    std::swap(place_, other.place_);
    std::swap(kind_, other.kind_);
    return *this;
}

Outstanding::~Outstanding() {
    if (!target_) return;
    --target_->load[place_];
    if (kind_ == Kind::request) --target_->in_flight;
}

}  // namespace umbra
