// StreamsRun: a capture file into one file per client stream and an index. Reads the file twice, because a flow without
// its server's side must be known as such from its first packet on. Owns everything of the run.
#pragma once

#include <iosfwd>
#include <string>

#include "offline/capture_file.h"
#include "offline/stream_writer.h"
#include "reassembly/offline_demux.h"

namespace umbra::offline {

struct StreamsOptions {
    CaptureFile capture;
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
    Result<void> extract(const Survey* survey, Progress& progress);
    Result<void> read(PcapSource& source, OfflineDemux& demux, Progress& progress);

    const StreamsOptions options_;
    StreamWriter writer_;
    OfflineDemux::Counts counts_;
};

}  // namespace umbra::offline
