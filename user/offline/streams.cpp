#include "offline/streams.h"

#include <fmt/format.h>

#include <ostream>

#include "offline/capture_feed.h"
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

}  // namespace

Result<void> StreamsRun::read(PcapSource& source, OfflineDemux& demux, Progress& progress) {
    while (!writer_.files().failure()) {
        const auto count = source.read(demux, kPacketsPerTurn);
        progress.show({"reading", source.progress(), source.file_size(), source.packets(), writer_.index().size()},
                      monotonic_now());
        if (!count) return count.error();
        if (*count == 0) break;
    }
    return {};
}

Result<void> StreamsRun::extract(const Survey* survey, Progress& progress) {
    auto source = options_.capture.open();
    if (!source) return source.error();
    if (auto prepared = writer_.files().prepare(options_.force); !prepared) return prepared;
    umbra_worker_row worker{};
    CaptureFeed feed({.limits = stream_limits(),
                      .mode = options_.capture.mode,
                      .survey = survey,
                      .accept_multipath = true,
                      .watcher = &writer_.index()},
                     writer_, worker);
    OfflineDemux demux(feed, kCaptureDecoding);
    const auto outcome = read(**source, demux, progress);
    demux.finish();
    counts_ = demux.counts();
    if (auto finished = writer_.finish(); !finished) return finished;
    return outcome;
}

Result<void> StreamsRun::run(Progress& progress) {
    Survey survey;
    const bool twice = options_.capture.repeatable();
    if (twice) {
        if (auto seen = options_.capture.look_ahead(survey, progress); !seen) return seen;
    }
    auto extracted = extract(twice ? &survey : nullptr, progress);
    progress.clear();
    return extracted;
}

void StreamsRun::write_index(std::ostream& out) const {
    const StreamIndex& index = writer_.index();
    const char* separator = "\n";
    out << "[";
    for (std::size_t number = 0; number < index.size(); ++number) {
        if (!index[number].listed) continue;
        out << separator << "  " << index_entry(index, number, options_.capture.mode);
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
