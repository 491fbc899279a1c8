// StreamsRun: a capture file into one file per client stream and an index. Reads the file twice in strict mode, because
// a flow without its server's side must be known as such from its first packet on; what can be read once only (a pipe)
// is read so. Owns everything of the run.
#pragma once

#include <iosfwd>
#include <string>

#include "capture/pcap_source.h"
#include "offline/progress.h"
#include "offline/stream_writer.h"
#include "offline/survey.h"
#include "reassembly/offline_demux.h"

namespace umbra::offline {

enum class ChecksumPolicy : std::uint8_t {
    automatic,  // verified, but not of senders whose network card filled them in after the capture
    verify,
    trust,
};

struct StreamsOptions {
    std::string capture;
    Mode mode = Mode::strict;
    ChecksumPolicy checksums = ChecksumPolicy::automatic;
    bool force = false;
    StreamWriter::Options writer;
};

class StreamsRun {
public:
    explicit StreamsRun(StreamsOptions options) : options_(std::move(options)), writer_(options_.writer) {}

    // An error of the capture comes after all that could be read was written.
    Result<void> run(Progress& progress);

    void write_index(std::ostream& out) const;
    // One line: what was read and written, and what was left out.
    std::string summary() const;
    const StreamWriter& writer() const { return writer_; }
    const OfflineDemux::Counts& counts() const { return counts_; }

private:
    struct Pass;
    Result<void> read(Pass& pass, Progress& progress, const char* doing);
    Result<void> look_ahead(Progress& progress);
    Result<void> extract(Progress& progress);
    ChecksumState checksum_state() const;
    bool looks_ahead() const;

    const StreamsOptions options_;
    StreamWriter writer_;
    Survey survey_;
    OfflineDemux::Counts counts_;
};

}  // namespace umbra::offline
