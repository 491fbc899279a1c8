// ProgRunner: the programs, loaded in a network namespace of their own, run packet by packet through BPF_PROG_TEST_RUN.
// Each run asserts what holds for every packet: verdict TC_ACT_UNSPEC and untouched bytes.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "bpf/packet_builder.h"
#include "loader/datapath.h"

#include "umbra/abi/record.h"

namespace umbra::test {

// What precedes each frame on the capture device (<linux/virtio_net.h> is no C++).
struct VirtioHeader {
    std::uint8_t flags, gso_type;
    std::uint16_t header_len, gso_size, checksum_start, checksum_offset;
};
static_assert(sizeof(VirtioHeader) == 10);

struct RunContext {
    std::string program = "umbra_ingress";
    std::uint32_t gso_size = 0;
};

class ProgRunner {
public:
    // Null, with a reason to skip, where root or a feature is missing. Moves the process to a new network namespace.
    static std::unique_ptr<ProgRunner> make(std::string& reason, const loader::DatapathOptions& options = {});

    loader::Datapath& datapath() { return *datapath_; }
    void write(const loader::GenerationContent& content);
    void set_device(std::uint32_t ifindex, std::uint32_t bridge);

    // False if the kernel refuses such a packet before the program sees it.
    bool run(const Frame& frame, const RunContext& context);

    // Everything that changed since the last call: "0:seen=1/5 0:cloned=1/5", slot, counter, packets/bytes.
    std::string counted();
    std::vector<Frame> clones(bool bare = false);  // frames without the virtio header, all queues
    std::vector<umbra_server_record> records();    // all rings

private:
    explicit ProgRunner(std::unique_ptr<loader::Datapath> datapath);

    std::unique_ptr<loader::Datapath> datapath_;
    loader::GenerationMaps maps_;
    std::vector<umbra_rule_counters> before_;
};

// Moves the process to a new network namespace with lo up. False without root.
bool enter_new_namespace();
std::vector<umbra_server_record> read_ring(int ring_fd);
std::vector<Frame> read_queue(int queue_fd);  // with the virtio header

}  // namespace umbra::test
