#include "loader/attach_planner.h"

#include <algorithm>

#include "umbra/abi/rule.h"

namespace umbra::loader {

namespace {

bool is_one_of(const std::string& kind, std::initializer_list<const char*> kinds) {
    return std::ranges::find(kinds, kind) != kinds.end();
}

// Devices whose other end is on this host: a pod's, a namespace's, a virtual machine's.
bool leads_to_guest(const LinkInfo& link) { return is_one_of(link.kind, {"veth", "netkit", "tun"}); }

// Packets pass the lower device in the same form, so its hook sees them.
bool shares_packets_with_lower(const LinkInfo& link) {
    return is_one_of(link.kind, {"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap"});
}

bool is_loopback(const IpAddress& address) {
    static const IpPrefix kV4 = *IpPrefix::parse("127.0.0.0/8"), kV6 = *IpPrefix::parse("::1");
    return kV4.contains(address) || kV6.contains(address);
}

class Planner {
public:
    Planner(const AttachInput& input, AttachPlan& plan) : input_(input), plan_(plan) {
        for (const std::uint32_t ifindex : input.excluded) excluded_.insert(ifindex);
    }

    Result<void> take_named() {
        for (const std::string& name : input_.named) {
            const LinkInfo* link = find_link(input_.links, name);
            if (!link) {
                return Error{ErrorCode::failure, "attach, device '" + name + "': no such device",
                             "see `ip link` for the devices of this network namespace"};
            }
            if (!is_usable(*link)) return Error{ErrorCode::failure, "attach, device '" + name + "': not up", {}};
            attach(*link, 0, "named");
        }
        return {};
    }

    void place(const Endpoint& endpoint) {
        const RouteAnswer route = input_.route(endpoint.address);
        if (!input_.named.empty()) return place_named(endpoint, route);
        switch (route.kind) {
            case RouteAnswer::Kind::local:
                return place_local(endpoint);
            case RouteAnswer::Kind::on_link:
                return place_on_link(endpoint, route.ifindex);
            case RouteAnswer::Kind::gateway:
                return leave_remote(endpoint, "behind a gateway");
            case RouteAnswer::Kind::unreachable:
                return leave_remote(endpoint, "unreachable: " + route.cause);
        }
    }

private:
    bool is_usable(const LinkInfo& link) const { return link.up && !excluded_.contains(link.ifindex); }

    void attach(const LinkInfo& link, std::uint32_t bridge, std::string why) {
        plan_.devices.try_emplace(
            link.ifindex, DeviceTarget{link.ifindex, link.name, link.has_link_header(), bridge, std::move(why)});
    }

    void leave_remote(const Endpoint& endpoint, std::string why) { plan_.remote.push_back({endpoint, std::move(why)}); }

    void place_named(const Endpoint& endpoint, const RouteAnswer& route) {
        if (route.kind != RouteAnswer::Kind::local && plan_.devices.contains(route.ifindex))
            plan_.placements[endpoint] = {UMBRA_SIDE_BEHIND, route.ifindex};
        else if (route.kind == RouteAnswer::Kind::on_link && take_ports_of(route.ifindex))
            plan_.placements[endpoint] = {UMBRA_SIDE_BEHIND_PORT, route.ifindex};
        else
            plan_.placements[endpoint] = {UMBRA_SIDE_LOCAL, 0};
    }

    // Whether there are named ports of this bridge; they then count as its ports.
    bool take_ports_of(std::uint32_t bridge) {
        bool found = false;
        for (auto& [ifindex, device] : plan_.devices) {
            const LinkInfo* link = find_link(input_.links, device.name);
            if (!link || link->master != bridge) continue;
            device.bridge = bridge;
            found = true;
        }
        return found;
    }

    void place_local(const Endpoint& endpoint) {
        const bool from_here_only = is_loopback(endpoint.address);
        plan_.placements[endpoint] = {UMBRA_SIDE_LOCAL, 0};
        for (const LinkInfo& link : input_.links) {
            if (from_here_only && !link.loopback) continue;
            if (receives_local(link)) attach(link, 0, "local addresses");
        }
    }

    bool receives_local(const LinkInfo& link) const {
        if (!is_usable(link) || link.master != 0) return false;
        if (!shares_packets_with_lower(link)) return true;
        const LinkInfo* lower = find_link(input_.links, link.lower);
        return !lower || !receives_local(*lower);
    }

    void place_on_link(const Endpoint& endpoint, std::uint32_t ifindex) {
        const LinkInfo* link = find_link(input_.links, ifindex);
        if (link && link->kind == "bridge") return place_behind_bridge(endpoint, *link);
        if (!link || !leads_to_guest(*link) || !is_usable(*link) || input_.to_gateways.contains(ifindex))
            return leave_remote(endpoint, "on the network of '" + (link ? link->name : std::string("?")) + "'");
        plan_.placements[endpoint] = {UMBRA_SIDE_BEHIND, ifindex};
        attach(*link, 0, "behind this device");
    }

    void place_behind_bridge(const Endpoint& endpoint, const LinkInfo& bridge) {
        plan_.placements[endpoint] = {UMBRA_SIDE_BEHIND_PORT, bridge.ifindex};
        for (const LinkInfo& link : input_.links) {
            if (link.master == bridge.ifindex && leads_to_guest(link) && is_usable(link))
                attach(link, bridge.ifindex, "port of '" + bridge.name + "'");
        }
    }

    const AttachInput& input_;
    AttachPlan& plan_;
    std::set<std::uint32_t> excluded_;
};

}  // namespace

Result<AttachPlan> plan_attachments(const AttachInput& input, const std::vector<Endpoint>& endpoints) {
    AttachPlan plan;
    Planner planner(input, plan);
    if (auto named = planner.take_named(); !named) return named.error();
    for (const Endpoint& endpoint : endpoints) planner.place(endpoint);
    return plan;
}

}  // namespace umbra::loader
