#include "loader/attachment.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <utility>

#include "loader/clsact.h"
#include "loader/os_error.h"
#include "loader/tcx.h"

namespace umbra::loader {

Attachment::Attachment(const AttachDevice& device, const HookPrograms& programs)
    : device_(device), program_ids_{programs[0].id, programs[1].id}, programs_{programs[0].fd, programs[1].fd} {}

Attachment::Attachment(Attachment&& other) noexcept
    : device_(std::move(other.device_)),
      program_ids_(other.program_ids_),
      programs_(other.programs_),
      links_(std::move(other.links_)),
      netlink_(std::exchange(other.netlink_, nullptr)),
      handle_(other.handle_),
      created_qdisc_(other.created_qdisc_) {}

Result<Attachment> Attachment::by_tcx(const AttachDevice& device, const HookPrograms& programs,
                                      std::array<UniqueFd, 2> links) {
    Attachment attachment(device, programs);
    attachment.links_ = std::move(links);
    for (const Direction direction : kDirections) {
        const auto index = static_cast<std::size_t>(direction);
        if (attachment.links_[index]) continue;
        const auto type = direction == Direction::ingress ? kTcxIngress : kTcxEgress;
        LIBBPF_OPTS(bpf_link_create_opts, options, .flags = kBefore);
        const int fd = bpf_link_create(programs[index].fd, static_cast<int>(device.ifindex), type, &options);
        if (fd < 0) return os_error("attach by tcx, device '" + device.name + "'", fd);
        attachment.links_[index].reset(fd);
    }
    return attachment;
}

Result<Attachment> Attachment::by_clsact(const AttachDevice& device, const HookPrograms& programs,
                                         NetlinkSocket& netlink, ClsactOwner& owner) {
    Attachment attachment(device, programs);
    auto created = ensure_clsact(netlink, device.ifindex);
    if (!created) return created.error();
    const bool ours = *created || owner.inherits(device.ifindex);
    if (ours) owner.created_qdisc(device.ifindex);
    attachment.created_qdisc_ = ours;
    attachment.netlink_ = &netlink;
    attachment.handle_ = owner.handle();
    for (const Direction direction : kDirections) {
        const HookProgram& program = programs[static_cast<std::size_t>(direction)];
        const std::string name = ours ? program.name + kQdiscMark : program.name;
        auto added = add_filter(netlink, {device.ifindex, direction, owner.handle(), program.fd, name});
        if (!added) return added.error();
    }
    return attachment;
}

Attachment::~Attachment() {
    if (netlink_) remove_filters();
}

// A link whose device is gone stays as it is: the next look at the devices drops it.
void Attachment::restore() {
    for (std::size_t i = 0; i < links_.size(); ++i) {
        if (links_[i]) bpf_link_update(links_[i].get(), programs_[i], nullptr);
    }
}

void Attachment::inherit_qdisc(ClsactOwner& owner) {
    if (!std::exchange(created_qdisc_, true)) owner.created_qdisc(device_.ifindex);
}

void Attachment::remove_filters() {
    for (const Direction direction : kDirections) {
        const auto filters = list_filters(*netlink_, device_.ifindex, direction);
        if (!filters) continue;
        for (const ClsactFilter& filter : *filters) {
            const bool ours = filter.program_id == program_ids_[static_cast<std::size_t>(direction)];
            if (ours && filter.handle == handle_) remove_filter(*netlink_, device_.ifindex, direction, filter);
        }
    }
    if (created_qdisc_) remove_clsact_if_empty(*netlink_, device_.ifindex);
}

}  // namespace umbra::loader
