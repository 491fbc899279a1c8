// Capture files: the input is one, read by PcapSource and reassembled in both modes. Files that inflate to very much
// are read in part only, as a bound on the time of one input.
#include <sys/mman.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "capture/pcap_source.h"
#include "fuzz/property.h"
#include "reassembly/offline_demux.h"
#include "unit/reassembly/stream_test_support.h"

namespace umbra::fuzz {
namespace {

constexpr std::uint64_t kMaxPackets = 2000;

struct Outcome {
    test::RecordingObserver observer;
    umbra_worker_row worker{};
    OfflineDemux::Counts counts;
    bool whole = false;
};

void check(Outcome& outcome, std::uint64_t packets) {
    const auto& counts = outcome.counts;
    require(counts.packets == packets, "every packet reaches the sink");
    require(counts.foreign + counts.fragments + counts.bad_headers + counts.bad_checksums + counts.truncated <=
                counts.packets,
            "a packet is refused once");
    require(outcome.observer.closes(), "the ledger closes");
    require(outcome.observer.ledger.in_flight.bytes == 0 && outcome.observer.ledger.in_flight.flows == 0,
            "nothing is in flight after the end");
    require(outcome.worker.reassembly_bytes == 0 && outcome.worker.flows == 0, "nothing is held after the end");
    for (const auto& record : outcome.observer.records) {
        require(record->closed, "every stream is closed");
        require(!record->violated, "events come in the promised order");
    }
}

void read_in(Mode mode, const std::string& path, std::uint8_t flags) {
    const bool trusted = (flags & 1) != 0;
    auto source = PcapSource::open(path, trusted ? ChecksumState::trusted : ChecksumState::verify);
    if (!source) return;
    Outcome outcome;
    Reassembler reassembler(offline_limits(), mode, outcome.observer, outcome.worker);
    OfflineDemux demux(reassembler, mode, {.virtual_device = true, .verify_ip_checksum = !trusted});
    const auto read = (*source)->read(demux, kMaxPackets);
    require(!read || *read <= kMaxPackets, "the limit of packets holds");
    const double progress = (*source)->progress();
    require(progress >= 0 && progress <= 1, "progress is a share");
    demux.finish();
    outcome.counts = demux.counts();
    check(outcome, (*source)->packets());
}

}  // namespace
}  // namespace umbra::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace umbra;
    const UniqueFd file(memfd_create("capture", MFD_CLOEXEC));
    if (file.get() < 0 || write(file.get(), data, size) != static_cast<ssize_t>(size)) return 0;
    const std::string path = "/proc/self/fd/" + std::to_string(file.get());
    const auto flags = size > 0 ? data[size - 1] : std::uint8_t{0};
    for (const Mode mode : {Mode::strict, Mode::one_sided}) fuzz::read_in(mode, path, flags);
    return 0;
}
