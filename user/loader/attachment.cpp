#include "loader/attachment.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <utility>

#include "loader/clsact.h"
#include "loader/os_error.h"
#include "loader/tcx.h"

namespace umbra::loader {

Attachment::Attachment(const AttachDevice& device, const HookPrograms& programs)
    : device_(device), program_ids_{programs[0].id, programs[1].id} {}

Attachment::Attachment(Attachment&& other) noexcept
    : device_(std::move(other.device_)),
      program_ids_(other.program_ids_),
      links_(std::move(other.links_)),
      netlink_(std::exchange(other.netlink_, nullptr)),
      handle_(other.handle_),
      created_qdisc_(other.created_qdisc_) {}

Result<Attachment> Attachment::by_tcx(const AttachDevice& device, const HookPrograms& programs) {
    Attachment attachment(device, programs);
    for (const Direction direction : kDirections) {
        const auto index = static_cast<std::size_t>(direction);
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
    if (*created) owner.created_qdisc(device.ifindex);
    attachment.created_qdisc_ = *created;
    attachment.netlink_ = &netlink;
    attachment.handle_ = owner.handle();
    for (const Direction direction : kDirections) {
        const HookProgram& program = programs[static_cast<std::size_t>(direction)];
        const std::string name = *created ? program.name + kQdiscMark : program.name;
        auto added = add_filter(netlink, {device.ifindex, direction, owner.handle(), program.fd, name});
        if (!added) return added.error();
    }
    return attachment;
}

Attachment::~Attachment() {
    if (netlink_) remove_filters();
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
