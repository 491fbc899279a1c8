// Datapath between two agents: the one that takes over, and the one that is taken over.
#include <bpf/bpf.h>
#include <fcntl.h>

#include <array>
#include <cerrno>
#include <utility>

#include "loader/datapath.h"
#include "loader/os_error.h"

#include "umbra/abi/rule.h"

namespace umbra::loader {

namespace {

// False if the device is gone, and the link with it.
Result<bool> lead_to(const HandedLink& link, int program_fd) {
    const int error = bpf_link_update(link.fd.get(), program_fd, nullptr);
    if (error == 0) return true;
    if (error == -ENOLINK || error == -ENOENT || error == -ENODEV) return false;
    return os_error("update link, device " + std::to_string(link.ifindex), error);
}

}  // namespace

// One write. Nothing can be in its way: no new map, no grace period, no device. The next generation that goes live ends
// it.
Result<void> Datapath::halt() {
    const std::uint32_t zero = 0, none = UMBRA_GENERATIONS;
    if (const int error = bpf_map_update_elem(skeleton_.map_fd("umbra_active"), &zero, &none, BPF_ANY))
        return os_error("update, map 'umbra_active'", error);
    return {};
}

Result<ApplyReport> Datapath::prepare_held(const AttachPlan& plan, const GenerationContent& content,
                                           ApplyReport report) {
    if (clsact_) {
        auto attached = attach_missing(plan, report);
        auto prepared = attached ? maps_.prepare(content) : Result<void>(attached.error());
        if (!prepared) {
            undo(report);
            return prepared.error();
        }
        detach_unneeded(plan, report);
        return report;
    }
    for (const auto& [ifindex, target] : plan.devices) {
        if (auto noted = note_device(target); !noted) return noted.error();
    }
    if (auto written = maps_.write(content); !written) return written.error();
    waiting_ = plan.devices;
    return report;
}

// The links come first, all of them: until the other one's programs are gone from every device, ours must not be on
// further ones, where they would clone a second time. Those that are not needed find no rule and go with the vector.
Result<std::size_t> Datapath::adopt(std::vector<HandedLink> links) {
    std::map<std::uint32_t, std::array<UniqueFd, 2>> led;
    for (HandedLink& link : links) {
        const auto target = waiting_.find(link.ifindex);
        const bool has_link_header = target == waiting_.end() || target->second.has_link_header;
        const auto index = static_cast<std::size_t>(link.direction);
        auto done = lead_to(link, skeleton_.hook_programs(has_link_header)[index].fd);
        if (!done) return done.error();
        if (*done && target != waiting_.end()) led[link.ifindex][index] = std::move(link.fd);
    }
    std::size_t hooks = 0;
    for (const auto& [ifindex, target] : waiting_) {
        auto attached = attach(target, std::move(led[ifindex]));
        if (!attached) return attached.error();
        if (*attached) hooks += std::size(kDirections);
    }
    waiting_.clear();
    return hooks;
}

Result<TakeReport> Datapath::take(std::vector<HandedLink> links) {
    // While the other one clones on there is time to look at the devices again: both then see the same ones.
    if (!links.empty()) {
        if (auto looked = refresh(); !looked) return looked.error();
    }
    held_ = false;
    TakeReport report{std::size(kDirections) * attachments_.size(), monotonic_now(), 0};
    if (clsact_) {
        if (auto live = maps_.go_live(); !live) return live.error();
        report.end = monotonic_now();
        maps_.clean_up();
        clsact_->set_heritage({});
        return report;
    }
    const auto hooks = adopt(std::move(links));
    if (!hooks) return hooks.error();
    report.hooks = *hooks;
    report.end = monotonic_now();
    return report;
}

void Datapath::inherit_qdiscs(const std::set<std::uint32_t>& ifindexes) {
    if (!clsact_) return;
    clsact_->set_heritage(ifindexes);
    for (auto& [ifindex, attachment] : attachments_) {
        if (ifindexes.contains(ifindex)) attachment.inherit_qdisc(*clsact_);
    }
}

std::vector<HandedLink> Datapath::links() const {
    std::vector<HandedLink> links;
    for (const auto& [ifindex, attachment] : attachments_) {
        if (!attachment.is_tcx()) continue;
        for (const Direction direction : kDirections) {
            UniqueFd copy(::fcntl(attachment.link_fd(static_cast<unsigned>(direction)), F_DUPFD_CLOEXEC, 0));
            links.push_back({ifindex, direction, std::move(copy)});
        }
    }
    return links;
}

std::set<std::uint32_t> Datapath::own_qdiscs() const {
    std::set<std::uint32_t> ifindexes;
    for (const auto& [ifindex, attachment] : attachments_) {
        if (attachment.owns_qdisc()) ifindexes.insert(ifindex);
    }
    return ifindexes;
}

Result<ApplyReport> Datapath::take_back() {
    for (auto& [ifindex, attachment] : attachments_) attachment.restore();
    return refresh();
}

}  // namespace umbra::loader
