// PcapSource: the packets of a capture file (pcap and pcapng, micro- and nanoseconds, plain or gzip) as a source.
// Not a live capture. Owns the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "capture/packet.h"

struct pcap;

namespace umbra {

class PcapSource {
public:
    // `checksum` is what the packets will say of theirs: captures taken at the sender hold unfinished ones.
    static Result<std::unique_ptr<PcapSource>> open(const std::string& path, ChecksumState checksum);
    ~PcapSource();
    PcapSource(const PcapSource&) = delete;
    PcapSource& operator=(const PcapSource&) = delete;

    // Hands at most `limit` packets to the sink. The number handed over; 0 at the end of the file. A broken file
    // gives an error after everything that could be read.
    Result<std::uint64_t> read(PacketSink& sink, std::uint64_t limit = ~std::uint64_t{0});

    std::uint64_t packets() const { return packets_; }
    std::uint64_t file_size() const;  // 0: not known
    // Share of the file that was read, 0 to 1; 0 if its size is unknown.
    double progress() const;

private:
    struct File;
    PcapSource(std::string path, ChecksumState checksum);
    Result<void> open_capture();
    Error broken(const std::string& cause) const;

    std::string path_;
    ChecksumState checksum_;
    LinkType link_ = LinkType::ethernet;
    std::unique_ptr<File> file_;  // read by capture_, which closes the stream but not this
    pcap* capture_ = nullptr;
    std::uint64_t packets_ = 0;
};

}  // namespace umbra
