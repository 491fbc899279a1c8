#include "offline/streams.h"

#include <fmt/format.h>

#include <filesystem>
#include <ostream>

#include "offline/index_json.h"

namespace umbra::offline {

namespace {

constexpr std::uint64_t kPacketsPerTurn = 4096;

ReassemblyLimits stream_limits() {
    ReassemblyLimits limits = offline_limits();
    limits.on_conflict = ConflictPolicy::as_linux;
    limits.on_urgent = UrgentPolicy::as_linux;
    limits.fast_open = false;
    return limits;
}

// Leads every packet to the index and to the reassembler of its flow's mode.
class StreamsFeed : public DemuxSink {
public:
    StreamsFeed(const StreamsOptions& options, const Survey* survey, StreamWriter& writer)
        : options_(options),
          survey_(survey),
          writer_(writer),
          strict_(stream_limits(), Mode::strict, writer, worker_),
          one_sided_(stream_limits(), Mode::one_sided, writer, worker_),
          strict_feed_(strict_, Mode::strict, stream_limits().wait_timeout),
          one_sided_feed_(one_sided_, Mode::one_sided, stream_limits().wait_timeout) {}

    void on_segment(const Segment& segment) override {
        writer_.index().on_segment(segment);
        is_strict(segment.tuple) ? strict_.on_segment(segment) : one_sided_.on_segment(segment);
    }
    void on_server(const ServerHeader& header) override {
        writer_.index().on_server(header);
        if (!is_strict(header.tuple)) return;
        // Of a connection over several paths this is one path's stream, which is what a capture can show.
        ServerHeader plain = header;
        plain.options.mptcp = false;
        strict_feed_.on_server(plain);
    }
    void on_time(TimeNs now) override {
        strict_feed_.on_time(now);
        one_sided_feed_.on_time(now);
    }
    void on_end(TimeNs now) override {
        strict_feed_.on_end(now);
        one_sided_feed_.on_end(now);
    }
    bool trusts(const TcpPacket& packet) override { return survey_ && survey_->offloads(packet.source.address); }

private:
    bool is_strict(const FlowTuple& tuple) const {
        return options_.mode == Mode::strict && (!survey_ || survey_->shows_server(tuple));
    }

    const StreamsOptions& options_;
    const Survey* const survey_;
    StreamWriter& writer_;
    umbra_worker_row worker_{};
    Reassembler strict_;
    Reassembler one_sided_;
    ReassemblerFeed strict_feed_;
    ReassemblerFeed one_sided_feed_;
};

}  // namespace

struct StreamsRun::Pass {
    PcapSource& source;
    OfflineDemux& demux;
    std::uint64_t file_size;
};

ChecksumState StreamsRun::checksum_state() const {
    return options_.checksums == ChecksumPolicy::trust ? ChecksumState::trusted : ChecksumState::verify;
}

bool StreamsRun::looks_ahead() const {
    std::error_code error;
    const bool repeatable = std::filesystem::is_regular_file(options_.capture, error);
    return repeatable && (options_.mode == Mode::strict || options_.checksums == ChecksumPolicy::automatic);
}

Result<void> StreamsRun::read(Pass& pass, Progress& progress, const char* doing) {
    while (!writer_.files().failure()) {
        const auto count = pass.source.read(pass.demux, kPacketsPerTurn);
        progress.show({doing, pass.source.progress(), pass.file_size, pass.source.packets(), writer_.index().size()},
                      monotonic_now());
        if (!count) return count.error();
        if (*count == 0) break;
    }
    return {};
}

// A broken file is looked at as far as it goes; the second reading reports it.
Result<void> StreamsRun::look_ahead(Progress& progress) {
    auto source = PcapSource::open(options_.capture, checksum_state());
    if (!source) return source.error();
    OfflineDemux demux(survey_, {.virtual_device = true, .verify_ip_checksum = false});
    Pass pass{**source, demux, (*source)->file_size()};
    (void)read(pass, progress, "looking ahead");
    return {};
}

Result<void> StreamsRun::extract(Progress& progress) {
    auto source = PcapSource::open(options_.capture, checksum_state());
    if (!source) return source.error();
    if (auto prepared = writer_.files().prepare(options_.force); !prepared) return prepared;
    StreamsFeed feed(options_, looks_ahead() ? &survey_ : nullptr, writer_);
    OfflineDemux demux(feed, {.virtual_device = true, .verify_ip_checksum = false});
    Pass pass{**source, demux, (*source)->file_size()};
    const auto outcome = read(pass, progress, "reading");
    demux.finish();
    counts_ = demux.counts();
    if (auto finished = writer_.finish(); !finished) return finished;
    return outcome;
}

Result<void> StreamsRun::run(Progress& progress) {
    if (looks_ahead()) {
        if (auto seen = look_ahead(progress); !seen) return seen;
    }
    auto extracted = extract(progress);
    progress.clear();
    return extracted;
}

void StreamsRun::write_index(std::ostream& out) const {
    const StreamIndex& index = writer_.index();
    const char* separator = "\n";
    out << "[";
    for (std::size_t number = 0; number < index.size(); ++number) {
        if (!index[number].listed) continue;
        out << separator << "  " << index_entry(index, number, options_.mode);
        separator = ",\n";
    }
    out << "\n]\n";
}

std::string StreamsRun::summary() const {
    const StreamIndex& index = writer_.index();
    std::uint64_t streams = 0, with_bytes = 0, bytes = 0, cut = 0;
    for (std::size_t number = 0; number < index.size(); ++number) {
        const StreamRecord& record = index[number];
        if (!record.listed) continue;
        ++streams;
        with_bytes += record.bytes > 0 ? 1 : 0;
        bytes += record.bytes;
        cut += record.cut ? 1 : 0;
    }
    std::string text = fmt::format("{} packets, {} streams, {} of them with bytes, {} bytes", counts_.packets, streams,
                                   with_bytes, bytes);
    const auto add = [&text](std::uint64_t count, const char* what) {
        if (count > 0) text += fmt::format("; {} {}", count, what);
    };
    add(cut, "streams cut");
    add(counts_.foreign, "packets not TCP");
    add(counts_.fragments, "IP fragments left out");
    add(counts_.bad_headers, "packets with bad headers left out");
    add(counts_.bad_checksums, "packets with wrong checksums left out");
    add(counts_.trusted_checksums, "packets with checksums left to the network card");
    add(counts_.truncated, "packets cut by the snap length");
    add(index.unlisted(), "connections beyond the limit not listed");
    return text;
}

}  // namespace umbra::offline
