// Reassembler, third part: flows come, wait and go.
#include "reassembly/reassembler.h"

namespace umbra {

namespace {

void publish_gauge(__u64& gauge, std::uint64_t value) {
    std::atomic_ref<__u64> cell(gauge);
    if (cell.load(std::memory_order_relaxed) != value) cell.store(value, std::memory_order_relaxed);
}

bool awaits_ack(const Flow& flow) {
    if (flow.state == FlowState::orphan) return true;
    return !flow.one_sided && (!flow.held.empty() || !flow.parked.empty() || flow.client_reset);
}

}  // namespace

// Live flows are never given up for new ones; flows that are all but over are.
bool Reassembler::make_room(TimeNs now) {
    if (shared_.limits.flows.forced()) return false;
    if (flows_.size() < shared_.limits.flows) return grow_table(now);
    auto& orphans = flows_.home(Home::orphans);
    auto& closing = flows_.home(Home::closing);
    if (!orphans.empty()) {
        end(orphans.head(), {CloseKind::expired, Reason::no_handshake}, now);
    } else if (!closing.empty() && flows_[closing.head()].half_closed) {
        end(closing.head(), {CloseKind::finished, Reason::client_closed}, now);
    }
    return flows_.size() < shared_.limits.flows && grow_table(now);
}

// The memory of the flows themselves counts, too.
bool Reassembler::grow_table(TimeNs now) {
    while (const std::size_t bytes = flows_.growth_bytes()) {
        if (shared_.pool.set_aside(bytes)) return true;
        if (!shed_longest_waiting(nullptr, now)) return false;
    }
    return true;
}

std::uint32_t Reassembler::open_flow(const FlowTuple& tuple, umbra_ledger_row& row, Home home, TimeNs now) {
    auto& orphans = flows_.home(Home::orphans);
    if (home == Home::orphans && !orphans.empty() && shared_.limits.orphans.exceeded_by(orphans.size() + 1))
        end(orphans.head(), {CloseKind::expired, Reason::no_handshake}, now);
    if (!make_room(now)) {
        ledger_seen(row, &umbra_units::flows);
        ledger_dropped(row, Reason::flow_table, &umbra_units::flows);
        if (home != Home::orphans) shared_.observer.mute(tuple);
        return kNoId;
    }
    const auto id = flows_.create(tuple, hash_of(tuple), home);
    Flow& flow = flows_[id];
    flow.row = &row;
    flow.state = home == Home::orphans ? FlowState::orphan : FlowState::live;
    flow.opened = flow.touched = flow.server_time = now;
    bump(shared_.worker.flows_opened);
    return id;
}

void Reassembler::settle(std::uint32_t id, TimeNs now) {
    if (flows_[id].ending) return close(id, now);
    flows_.touch(id, now);
    update_lists(id, now);
}

void Reassembler::update_lists(std::uint32_t id, TimeNs now) {
    Flow& flow = flows_[id];
    const bool waits = flow.state == FlowState::live && (flow.undelivered() || flow.client_reset);
    if (waits && !flow.waiting.linked()) flow.wait_since = now;
    flows_.set_waiting(id, waits);
    flows_.set_draining(id, flow.gap_to != 0 || flow.server_reset || flow.older != kNoId);
    const bool waiter = awaits_ack(flow);
    if (waiter != flow.counted_waiter) waiter ? ++ack_waiters_ : --ack_waiters_;
    flow.counted_waiter = waiter;
    if (flow.one_sided != flow.counted_one_sided) flow.one_sided ? ++one_sided_ : --one_sided_;
    flow.counted_one_sided = flow.one_sided;
}

void Reassembler::end(std::uint32_t id, const Ending& ending, TimeNs now) {
    if (!flows_[id].ending) flows_[id].ending = ending;
    close(id, now);
}

void Reassembler::close(std::uint32_t id, TimeNs now) {
    Flow& flow = flows_[id];
    if (flow.older != kNoId) retire_older(id, now);
    const Ending ending = *flow.ending;
    if (flow.counted_waiter) --ack_waiters_;
    if (flow.counted_one_sided) --one_sided_;
    engine_.delivery().close(flow, ending, now);
    if (flow.state == FlowState::live && flow.newer == kNoId) remember(flow, ending, now);
    flows_.erase(id);
}

// The packets of the connection before this one are all read.
void Reassembler::retire_older(std::uint32_t id, TimeNs now) {
    const auto older = flows_[id].older;
    if (older == kNoId) return;
    const bool complete = flows_[older].half_closed;
    end(older, {complete ? CloseKind::finished : CloseKind::reset, Reason::client_closed}, now);
}

void Reassembler::remember(const Flow& flow, const Ending& ending, TimeNs now) {
    const auto hash = hash_of(flow.tuple);
    ClosedFlow* const known = closed_.find(flow.tuple, hash);
    ClosedFlow& closed = known ? *known : insert_light(closed_, flow.tuple);
    closed.start = flow.synack_ack;
    closed.end = static_cast<std::uint32_t>(flow.next);
    closed.touched = static_cast<std::uint32_t>(now / kSecond);
    closed.abandoned = ending.kind == CloseKind::abandoned;
    closed.reason = ending.reason;
    closed_.touch(closed);
}

ClosedFlow& Reassembler::remember_refused(const FlowTuple& tuple, std::uint32_t start, Reason reason, TimeNs now) {
    const auto hash = hash_of(tuple);
    ClosedFlow* const known = closed_.find(tuple, hash);
    ClosedFlow& closed = known ? *known : insert_light(closed_, tuple);
    closed.start = closed.end = start;
    closed.touched = static_cast<std::uint32_t>(now / kSecond);
    closed.abandoned = true;
    closed.reason = reason;
    return closed;
}

bool Reassembler::reclaim(const Flow& needing, std::size_t, TimeNs now) { return shed_longest_waiting(&needing, now); }

bool Reassembler::shed_longest_waiting(const Flow* except, TimeNs now) {
    auto& orphans = flows_.home(Home::orphans);
    if (!orphans.empty() && &flows_[orphans.head()] != except) {
        end(orphans.head(), {CloseKind::abandoned, Reason::memory}, now);
        return true;
    }
    for (auto id = flows_.waiting().head(); id != kNoId; id = flows_[id].waiting.next) {
        const Flow& flow = flows_[id];
        if (&flow == except || flow.older != kNoId) continue;
        end(id, {CloseKind::abandoned, Reason::memory, true}, now);
        return true;
    }
    return false;
}

void Reassembler::on_capture_drained(TimeNs now, std::uint64_t server_headers) {
    last_time_ = now;
    auto& draining = flows_.draining();
    for (std::size_t left = draining.size(); left > 0 && !draining.empty(); --left) {
        const auto id = draining.head();
        flows_.set_draining(id, false);
        if (flows_[id].older != kNoId && flows_[id].older_epoch <= server_headers) retire_older(id, now);
        engine_.on_drained(flows_[id], server_headers, now);
        if (flows_[id].ending) {
            close(id, now);
        } else {
            update_lists(id, now);
        }
    }
    publish();
}

void Reassembler::expire_waits(TimeNs now) {
    auto& waiting = flows_.waiting();
    for (std::size_t left = waiting.size(); left > 0 && !waiting.empty(); --left) {
        const auto id = waiting.head();
        if (flows_[id].wait_since + shared_.limits.wait_timeout > now) return;
        flows_.set_waiting(id, false);
        engine_.on_wait_timeout(flows_[id], now);
        if (flows_[id].ending) {
            close(id, now);
        } else {
            update_lists(id, now);
        }
    }
}

void Reassembler::expire_flows(Home home, TimeNs timeout, TimeNs now) {
    auto& list = flows_.home(home);
    while (!list.empty()) {
        const auto id = list.head();
        Flow& flow = flows_[id];
        if (flow.touched + timeout > now) return;
        const bool complete = flow.half_closed || (flow.server_fin && !flow.undelivered());
        if (home == Home::orphans) {
            end(id, {CloseKind::expired, Reason::no_handshake}, now);
        } else if (home == Home::closing && complete) {
            end(id, {CloseKind::finished, Reason::client_closed}, now);
        } else {
            end(id, {CloseKind::expired, Reason::idle}, now);
        }
    }
}

void Reassembler::expire_light_entries(TimeNs now) {
    const auto seconds = static_cast<std::uint32_t>(now / kSecond);
    const auto idle = static_cast<std::uint32_t>(shared_.limits.idle_timeout / kSecond);
    while (const Embryo* const oldest = embryos_.oldest()) {
        if (age_of(oldest->touched, seconds, kTouchedBits) < idle) break;
        embryos_.erase(*oldest);
    }
    const auto memory = static_cast<std::uint32_t>(shared_.limits.closed_timeout / kSecond);
    while (const ClosedFlow* const oldest = closed_.oldest()) {
        if (age_of(oldest->touched, seconds, 32) < memory) break;
        closed_.erase(*oldest);
    }
}

void Reassembler::tick(TimeNs now) {
    last_time_ = now;
    expire_waits(now);
    expire_flows(Home::orphans, shared_.limits.wait_timeout, now);
    expire_flows(Home::closing, shared_.limits.closing_timeout, now);
    expire_flows(Home::established, shared_.limits.idle_timeout, now);
    expire_light_entries(now);
    publish();
}

void Reassembler::shutdown(TimeNs now) {
    for (const Home home : {Home::orphans, Home::established, Home::closing}) {
        while (!flows_.home(home).empty()) {
            const auto id = flows_.home(home).head();
            const Flow& flow = flows_[id];
            Ending ending{CloseKind::shutdown, Reason::shutdown};
            if (flow.client_reset) ending = {CloseKind::reset, Reason::client_reset};
            if (flow.half_closed) ending = {CloseKind::finished, Reason::client_closed};
            end(id, ending, now);
        }
    }
    while (const Embryo* const oldest = embryos_.oldest()) embryos_.erase(*oldest);
    publish();
}

void Reassembler::publish() {
    publish_gauge(shared_.worker.flows, flows_.size());
    publish_gauge(shared_.worker.one_sided, one_sided_);
    publish_gauge(shared_.worker.embryos, embryos_.size());
    publish_gauge(shared_.worker.reassembly_bytes, shared_.pool.used_bytes());
}

}  // namespace umbra
