#include "offline/capture_file.h"

#include <filesystem>

#include "reassembly/offline_demux.h"

namespace umbra::offline {

namespace {

constexpr std::uint64_t kPacketsPerTurn = 4096;

}  // namespace

Result<std::unique_ptr<PcapSource>> CaptureFile::open() const {
    return PcapSource::open(path, checksums == ChecksumPolicy::trust ? ChecksumState::trusted : ChecksumState::verify);
}

bool CaptureFile::repeatable() const {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error);
}

Result<void> CaptureFile::look_ahead(Survey& survey, Progress& progress) const {
    auto source = open();
    if (!source) return source.error();
    OfflineDemux demux(survey, kCaptureDecoding);
    for (;;) {
        const auto count = (*source)->read(demux, kPacketsPerTurn);
        if (!count || *count == 0) return {};
        progress.show(
            {"looking ahead", (*source)->progress(), (*source)->file_size(), (*source)->packets(), survey.flows()},
            monotonic_now());
    }
}

}  // namespace umbra::offline
