// Attachment: our two programs on one device. The object is the attachment: it ends with the object, and with tcx also
// when the process dies in any way, because a link lives as long as its descriptor.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loader/clsact_owner.h"
#include "loader/netlink.h"

namespace umbra::loader {

struct HookProgram {
    int fd = -1;
    std::uint32_t id = 0;
    std::string name;
};
using HookPrograms = std::array<HookProgram, 2>;  // index: Direction

struct AttachDevice {
    std::uint32_t ifindex = 0;
    std::string name;
};

class Attachment {
public:
    // The programs outlive the attachment.
    // links: those that lead to these programs already, see HandedLink; missing ones are made.
    static Result<Attachment> by_tcx(const AttachDevice& device, const HookPrograms& programs,
                                     std::array<UniqueFd, 2> links = {});
    // netlink and owner outlive the attachment.
    static Result<Attachment> by_clsact(const AttachDevice& device, const HookPrograms& programs,
                                        NetlinkSocket& netlink, ClsactOwner& owner);
    Attachment(Attachment&& other) noexcept;
    Attachment& operator=(Attachment&&) = delete;
    ~Attachment();

    const AttachDevice& device() const { return device_; }
    bool is_tcx() const { return netlink_ == nullptr; }
    std::uint32_t program_id(unsigned direction) const { return program_ids_[direction]; }
    int link_fd(unsigned direction) const { return links_[direction].get(); }  // tcx
    // Our programs again, on links that another agent led to its own.
    void restore();
    bool owns_qdisc() const { return created_qdisc_; }
    // The qdisc's owner leaves it to us.
    void inherit_qdisc(ClsactOwner& owner);

private:
    Attachment(const AttachDevice& device, const HookPrograms& programs);
    void remove_filters();

    AttachDevice device_;
    std::array<std::uint32_t, 2> program_ids_;
    std::array<int, 2> programs_;
    std::array<UniqueFd, 2> links_;     // tcx
    NetlinkSocket* netlink_ = nullptr;  // clsact
    std::uint32_t handle_ = 0;
    bool created_qdisc_ = false;
};

}  // namespace umbra::loader
