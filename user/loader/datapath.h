// Datapath: everything of Umbra in the kernel, as one object: capture devices, programs, maps, attachments, the live
// generation. It ends with the object; with tcx and the janitor also when the process is killed. Used by one thread.
// Descriptors that it hands out stay its own: duplicate them for another process.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "loader/attach_planner.h"
#include "loader/attachment.h"
#include "loader/capture_device.h"
#include "loader/clone_share.h"
#include "loader/clsact_owner.h"
#include "loader/features.h"
#include "loader/generation.h"
#include "loader/handed_link.h"
#include "loader/netlink.h"
#include "loader/rule_slots.h"
#include "loader/skeleton.h"
#include "rules/plan.h"

#include "umbra/abi/counters.h"
#include "umbra/abi/limits.h"

namespace umbra::loader {

enum class AttachMode : std::uint8_t { automatic, tcx, clsact };

struct DatapathOptions {
    unsigned workers = 1;
    std::uint32_t ring_bytes = 1024 * 1024;  // per worker; a power of two, at least a page
    std::uint32_t queue_length = 8192;       // packets per worker
    std::uint32_t muted = UMBRA_MAX_MUTED;   // flows
    std::uint32_t own = UMBRA_MAX_OWN;       // connections
    std::uint32_t devices = UMBRA_MAX_DEVICES;
    AttachMode mode = AttachMode::automatic;
    std::vector<std::string> ifaces;  // empty: devices are found by routes
    bool hold = false;                // see take()
    int predecessor_own = -1;         // umbra_own of the agent that is taken over
};

struct AttachPoint {
    std::string device;
    std::uint32_t ifindex = 0;
    bool tcx = false;
    std::uint32_t ingress_program = 0;  // ids
    std::uint32_t egress_program = 0;
    std::string why;
};

struct ApplyReport {
    std::uint64_t generation = 0;
    std::vector<std::string> added;    // devices
    std::vector<std::string> removed;  // devices
    std::vector<RemoteEndpoint> remote;
};

class Datapath {
public:
    // Call it before there are threads: in clsact mode it forks.
    static Result<std::unique_ptr<Datapath>> make(const DatapathOptions& options);
    Datapath(const Datapath&) = delete;
    Datapath& operator=(const Datapath&) = delete;
    ~Datapath();

    // Makes the plan live as the next generation. On failure the previous one stays as it was.
    Result<ApplyReport> apply(const rules::Plan& plan);
    // Devices, addresses or routes changed: plans the attach points of the live plan again. Same generation number.
    Result<ApplyReport> refresh();
    // How much of the live plan, and of those to come, is cloned. Same generation number, same slots. Pausing is done
    // when packets find no rules; that programs could not be taken off devices is no failure then.
    Result<ApplyReport> set_share(CloneShare share);
    // Forgets the plan. Nothing is cloned from then on, whatever of the kernel's network state cannot be read or
    // changed; an error says that not even that was possible, or what was left attached.
    Result<void> stop_cloning();

    // Taking over from another agent. With options.hold everything is made ready by apply(), and nothing is cloned
    // before take(): with tcx the maps are live and nothing is attached, with clsact the filters are attached and no
    // map is live. Then links of the other one are led to our programs, so that they keep their places among others'
    // programs, or the maps go live. After a failure this object is of no use any more; closing it changes nothing of
    // the links.
    Result<TakeReport> take(std::vector<HandedLink> links);
    bool held() const { return held_; }
    // Devices whose qdiscs the other one has made and leaves to us.
    void inherit_qdiscs(const std::set<std::uint32_t>& ifindexes);

    // Being taken over. The descriptors are copies.
    std::vector<HandedLink> links() const;
    std::set<std::uint32_t> own_qdiscs() const;
    // Packets find no rules until take_back(), whatever is attached.
    Result<void> halt();
    // The other one did not do it: our programs in all places, our rules live.
    Result<ApplyReport> take_back();

    // The slots that apply() would give the plan's slot_keys(), in their order. Changes nothing.
    Result<std::vector<std::uint32_t>> preview_slots(const rules::Plan& plan) const;

    const DatapathOptions& options() const { return options_; }
    CloneShare share() const { return share_; }
    std::uint64_t generation() const { return generation_; }
    std::optional<std::uint32_t> slot_of(const std::string& rule_key) const { return slots_.slot_of(rule_key); }
    const std::map<std::string, std::uint32_t>& slots() const { return slots_.living(); }
    Result<umbra_rule_counters> rule_counters(std::uint32_t slot) const;  // all CPUs

    // Of the capture queues, all workers'.
    bool queues_empty() const { return capture_.is_empty() && capture_ip_.is_empty(); }
    Result<std::uint64_t> queue_drops() const;  // packets, or pieces of packets, that found no room

    std::vector<AttachPoint> attach_points() const;
    const Features& features() const { return features_; }
    bool uses_tcx() const { return !clsact_; }
    const std::string& capture_device() const { return capture_.name(); }
    const std::string& capture_device_ip() const { return capture_ip_.name(); }

    // For the terminator. A worker reads its queue (frames with an Ethernet header), its bare queue (packets of
    // devices without link headers) and its ring; it writes its rows of the ledger and workers maps, muted and own.
    unsigned workers() const { return options_.workers; }
    int queue_fd(unsigned worker) const { return capture_.queue_fd(worker); }
    int bare_queue_fd(unsigned worker) const { return capture_ip_.queue_fd(worker); }
    int ring_fd(unsigned worker) const { return rings_[worker].get(); }
    int ledger_fd() const { return skeleton_.map_fd("umbra_ledger"); }
    int workers_fd() const { return skeleton_.map_fd("umbra_workers"); }
    int muted_fd() const { return skeleton_.map_fd("umbra_muted"); }
    int own_fd() const { return skeleton_.map_fd("umbra_own"); }
    std::uint32_t flow_seed() const { return flow_seed_; }  // worker = umbra_flow_hash(tuple, seed) % workers
    const Skeleton& skeleton() const { return skeleton_; }

private:
    struct Base {
        NetlinkSocket netlink;
        CaptureDevice capture, capture_ip;
        Skeleton skeleton;
        std::uint32_t flow_seed;
    };
    static Result<Base> build_base(const DatapathOptions& options);
    Datapath(const DatapathOptions& options, Base base);
    Result<void> prepare_attaching();
    Result<void> make_rings();

    Result<AttachPlan> plan_devices(const rules::Plan& plan);
    Result<ApplyReport> apply_slots(const rules::Plan& plan, const RuleSlots& slots);
    Result<void> attach_missing(const AttachPlan& plan, ApplyReport& report);
    Result<bool> attach(const DeviceTarget& target, std::array<UniqueFd, 2> links = {});
    void undo(const ApplyReport& report);
    void detach_unneeded(const AttachPlan& plan, ApplyReport& report);
    void detach(std::uint32_t ifindex);
    Result<void> note_device(const DeviceTarget& target);
    Result<ApplyReport> prepare_held(const AttachPlan& plan, const GenerationContent& content, ApplyReport report);
    Result<std::size_t> adopt(std::vector<HandedLink> links);

    // Order matters: attachments go before the programs, the programs before the devices.
    DatapathOptions options_;
    Features features_;
    NetlinkSocket netlink_;
    std::optional<ClsactOwner> clsact_;
    CaptureDevice capture_;
    CaptureDevice capture_ip_;
    Skeleton skeleton_;
    std::uint32_t flow_seed_;
    std::vector<UniqueFd> rings_;
    GenerationMaps maps_;
    std::map<std::uint32_t, Attachment> attachments_;  // by ifindex
    std::map<std::uint32_t, DeviceTarget> targets_;    // of the attachments
    RuleSlots slots_;
    rules::Plan plan_;
    CloneShare share_;
    std::uint64_t generation_ = 0;
    bool held_ = false;
    std::map<std::uint32_t, DeviceTarget> waiting_;  // devices to attach to when the hold ends, by ifindex
};

}  // namespace umbra::loader
