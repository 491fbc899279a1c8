#include "capture/pcap_source.h"

#include <pcap/pcap.h>
#include <sys/stat.h>
#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

namespace umbra {

// The file as a stdio stream that inflates gzip on the fly; zlib passes other files through.
struct PcapSource::File {
    gzFile file = nullptr;
    std::uint64_t size = 0;
    off64_t delivered = 0;  // bytes, uncompressed

    ~File() {
        if (file) gzclose(file);
    }
    static ssize_t read(void* cookie, char* buffer, std::size_t size) {
        File& self = *static_cast<File*>(cookie);
        const int count = gzread(self.file, buffer, static_cast<unsigned>(size));
        if (count > 0) self.delivered += count;
        return count;
    }
    // Only for the stream to tell where it is.
    static int seek(void* cookie, off64_t* offset, int whence) {
        if (whence != SEEK_CUR || *offset != 0) return -1;
        *offset = static_cast<File*>(cookie)->delivered;
        return 0;
    }
    // What zlib has to say of the end of the file; null if all is well.
    const char* complaint() const {
        int code = Z_OK;
        const char* const text = gzerror(file, &code);
        if (code == Z_OK || code == Z_STREAM_END) return nullptr;
        return code == Z_BUF_ERROR ? "the compressed file ends too early" : text;
    }
};

namespace {

constexpr int kBsdRaw = 14;  // DLT_RAW as OpenBSD numbers it
constexpr unsigned kInflateBuffer = 256 * 1024;

std::optional<LinkType> link_type_of(int datalink) {
    switch (datalink) {
        case DLT_EN10MB:
            return LinkType::ethernet;
        case DLT_RAW:
        case DLT_IPV4:
        case DLT_IPV6:
        case kBsdRaw:
            return LinkType::raw_ip;
        case DLT_LINUX_SLL:
            return LinkType::linux_sll;
        case DLT_LINUX_SLL2:
            return LinkType::linux_sll2;
        case DLT_NULL:
        case DLT_LOOP:
            return LinkType::bsd_loopback;
        default:
            return std::nullopt;
    }
}

TimeNs time_of(const pcap_pkthdr& header) {
    // With nanosecond precision tv_usec holds nanoseconds.
    return static_cast<TimeNs>(header.ts.tv_sec) * kSecond + static_cast<TimeNs>(header.ts.tv_usec);
}

}  // namespace

PcapSource::PcapSource(std::string path, ChecksumState checksum) : path_(std::move(path)), checksum_(checksum) {}

PcapSource::~PcapSource() {
    if (capture_) pcap_close(capture_);
}

Result<std::unique_ptr<PcapSource>> PcapSource::open(const std::string& path, ChecksumState checksum) {
    std::unique_ptr<PcapSource> source(new PcapSource(path, checksum));
    if (auto opened = source->open_capture(); !opened) return opened.error();
    return source;
}

Result<void> PcapSource::open_capture() {
    const auto failure = [this](const std::string& cause) {
        return Error{ErrorCode::failure, "open capture '" + path_ + "': " + cause,
                     "pcap and pcapng files are read, also compressed with gzip"};
    };
    file_ = std::make_unique<File>();
    file_->file = gzopen(path_.c_str(), "rb");
    if (!file_->file) return failure(std::strerror(errno));
    gzbuffer(file_->file, kInflateBuffer);
    struct stat status {};
    if (::stat(path_.c_str(), &status) == 0) file_->size = static_cast<std::uint64_t>(status.st_size);

    cookie_io_functions_t functions{};
    functions.read = File::read;
    functions.seek = File::seek;
    FILE* const stream = fopencookie(file_.get(), "rb", functions);
    if (!stream) return failure(std::strerror(errno));
    char cause[PCAP_ERRBUF_SIZE] = "";
    capture_ = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, cause);
    if (!capture_) {
        std::fclose(stream);
        return failure(cause);
    }
    const auto link = link_type_of(pcap_datalink(capture_));
    if (!link) {
        const char* const name = pcap_datalink_val_to_name(pcap_datalink(capture_));
        return failure(std::string("link type ") + (name ? name : "unknown") + " is not supported");
    }
    link_ = *link;
    return {};
}

Error PcapSource::broken(const std::string& cause) const {
    const auto position = ::ftello(pcap_file(capture_));
    return {ErrorCode::failure,
            "read capture '" + path_ + "': " + cause + "; the file breaks after " + std::to_string(packets_) +
                " packets, at byte " + std::to_string(position),
            "the packets before were used; copy the file again to have the rest"};
}

Result<std::uint64_t> PcapSource::read(PacketSink& sink, std::uint64_t limit) {
    for (std::uint64_t count = 0; count < limit; ++count) {
        pcap_pkthdr* header = nullptr;
        const u_char* data = nullptr;
        const int outcome = pcap_next_ex(capture_, &header, &data);
        const char* const complaint = outcome == 1 ? nullptr : file_->complaint();
        if (outcome == PCAP_ERROR_BREAK && !complaint) return count;
        if (outcome != 1) return broken(complaint ? complaint : pcap_geterr(capture_));
        ++packets_;
        const Bytes bytes(reinterpret_cast<const std::byte*>(data), header->caplen);
        sink.on_packet({bytes, header->len, link_, checksum_, time_of(*header)});
    }
    return limit;
}

std::uint64_t PcapSource::file_size() const { return file_->size; }

double PcapSource::progress() const {
    if (file_->size == 0) return 0;
    const auto read = static_cast<double>(gzoffset(file_->file));
    const double share = read / static_cast<double>(file_->size);
    return share < 1 ? share : 1;
}

}  // namespace umbra
