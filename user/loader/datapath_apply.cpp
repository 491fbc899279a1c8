// The changing half of Datapath: from a plan to devices, attachments and the next generation.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "loader/datapath.h"
#include "loader/os_error.h"

#include "umbra/abi/rule.h"

namespace umbra::loader {

Result<ApplyReport> Datapath::apply(const rules::Plan& plan) {
    RuleSlots slots = slots_;
    if (auto assigned = slots.assign(rules::slot_keys(plan)); !assigned) return assigned.error();
    auto report = apply_slots(plan, slots);
    if (!report) return report;
    slots_ = std::move(slots);
    plan_ = plan;
    report->generation = ++generation_;
    return report;
}

Result<std::vector<std::uint32_t>> Datapath::preview_slots(const rules::Plan& plan) const {
    RuleSlots slots = slots_;
    const auto keys = rules::slot_keys(plan);
    if (auto assigned = slots.assign(keys); !assigned) return assigned.error();
    std::vector<std::uint32_t> order;
    order.reserve(keys.size());
    for (const std::string& key : keys) order.push_back(slots.slot_of(key).value_or(0));
    return order;
}

Result<ApplyReport> Datapath::refresh() {
    auto report = apply_slots(plan_, slots_);
    if (report) report->generation = generation_;
    return report;
}

Result<ApplyReport> Datapath::set_share(CloneShare share) {
    if (share.paused) {
        if (auto halted = halt(); !halted) return halted.error();
    }
    const CloneShare before = std::exchange(share_, share);
    auto report = refresh();
    if (!report && share.paused) return ApplyReport{};
    if (!report) share_ = before;
    return report;
}

Result<void> Datapath::stop_cloning() {
    auto halted = halt();
    auto applied = apply({});
    if (applied) return {};
    plan_ = {};
    std::vector<std::uint32_t> attached;
    for (const auto& [ifindex, target] : targets_) attached.push_back(ifindex);
    for (const std::uint32_t ifindex : attached) detach(ifindex);
    return halted ? Result<void>() : applied.error();
}

Result<ApplyReport> Datapath::apply_slots(const rules::Plan& plan, const RuleSlots& slots) {
    auto devices = plan_devices(plan);
    if (!devices) return devices.error();
    auto content = compile_generation(plan, slots, devices->placements, share_.halvings);
    if (!content) return content.error();
    ApplyReport report;
    report.remote = devices->remote;
    if (share_.paused) {
        devices->devices.clear();
        *content = {};
    }
    if (held_) return prepare_held(*devices, *content, std::move(report));
    auto attached = attach_missing(*devices, report);
    auto written = attached ? maps_.write(*content) : Result<void>(attached.error());
    if (!written) {
        undo(report);
        return written.error();
    }
    detach_unneeded(*devices, report);
    return report;
}

Result<AttachPlan> Datapath::plan_devices(const rules::Plan& plan) {
    AttachInput input;
    auto links = read_links(netlink_);
    if (!links) return links.error();
    input.links = std::move(*links);
    input.excluded = {capture_.ifindex(), capture_ip_.ifindex()};
    input.named = options_.ifaces;
    input.to_gateways = gateway_devices(netlink_);
    input.route = [this](const IpAddress& address) { return lookup_route(netlink_, address); };
    std::vector<Endpoint> endpoints;
    endpoints.reserve(plan.origins.size());
    for (const rules::PlanOrigin& origin : plan.origins) endpoints.push_back(origin.endpoint);
    return plan_attachments(input, endpoints);
}

Result<void> Datapath::attach_missing(const AttachPlan& plan, ApplyReport& report) {
    for (const auto& [ifindex, target] : plan.devices) {
        const auto known = targets_.find(ifindex);
        if (known != targets_.end() && known->second.has_link_header == target.has_link_header) {
            if (auto noted = note_device(target); !noted) return noted;
            known->second = target;
            continue;
        }
        auto attached = attach(target);
        if (!attached) return attached.error();
        if (*attached) report.added.push_back(target.name);
    }
    return {};
}

Result<void> Datapath::note_device(const DeviceTarget& target) {
    const umbra_device device{target.bridge};
    if (const int error = bpf_map_update_elem(skeleton_.map_fd("umbra_devices"), &target.ifindex, &device, BPF_ANY))
        return os_error("update, map 'umbra_devices'", error);
    return {};
}

// False if the device vanished meanwhile: the next refresh will not plan for it.
Result<bool> Datapath::attach(const DeviceTarget& target, std::array<UniqueFd, 2> links) {
    if (targets_.contains(target.ifindex)) detach(target.ifindex);
    if (auto noted = note_device(target); !noted) return noted.error();
    const HookPrograms programs = skeleton_.hook_programs(target.has_link_header);
    auto attachment = clsact_ ? Attachment::by_clsact({target.ifindex, target.name}, programs, netlink_, *clsact_)
                              : Attachment::by_tcx({target.ifindex, target.name}, programs, std::move(links));
    if (!attachment) {
        detach(target.ifindex);
        const auto present = read_links(netlink_);
        if (present && !find_link(*present, target.ifindex)) return false;
        return attachment.error();
    }
    attachments_.emplace(target.ifindex, std::move(*attachment));
    targets_[target.ifindex] = target;
    return true;
}

void Datapath::undo(const ApplyReport& report) {
    for (const std::string& name : report.added) {
        const auto added = std::ranges::find_if(targets_, [&](const auto& entry) { return entry.second.name == name; });
        if (added != targets_.end()) detach(added->first);
    }
}

void Datapath::detach_unneeded(const AttachPlan& plan, ApplyReport& report) {
    std::vector<std::uint32_t> unneeded;
    for (const auto& [ifindex, target] : targets_) {
        if (plan.devices.contains(ifindex)) continue;
        unneeded.push_back(ifindex);
        report.removed.push_back(target.name);
    }
    for (const std::uint32_t ifindex : unneeded) detach(ifindex);
}

void Datapath::detach(std::uint32_t ifindex) {
    attachments_.erase(ifindex);
    targets_.erase(ifindex);
    bpf_map_delete_elem(skeleton_.map_fd("umbra_devices"), &ifindex);
}

}  // namespace umbra::loader
