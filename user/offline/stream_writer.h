// StreamWriter: takes what reassembly delivers and keeps it as files, one per client stream, and as records of the
// index. A file holds the stream from its first byte up to its end or its first gap; bytes behind a gap are counted,
// never written. Owns files and index; outlives the Reassembler.
#pragma once

#include "offline/stream_files.h"
#include "offline/stream_index.h"
#include "reassembly/stream_sink.h"

namespace umbra::offline {

class StreamWriter : public StreamObserver {
public:
    struct Options {
        std::string folder;
        bool midstream = false;  // also streams of connections that were open before the capture
        std::size_t max_streams = StreamIndex::kMaxStreams;
        std::size_t open_files = StreamFiles::kOpenLimit;
    };
    explicit StreamWriter(const Options& options)
        : options_(options), files_(options.folder, options.open_files), index_(options.max_streams) {}

    std::unique_ptr<StreamSink> open(const FlowTuple& tuple, OpenKind kind, TimeNs now) override;
    umbra_ledger_row* row(const FlowTuple&) override { return &row_; }
    void mute(const FlowTuple&) override {}

    // After the reassembler's shutdown: makes the files of the streams without bytes, closes all.
    Result<void> finish();

    StreamFiles& files() { return files_; }
    StreamIndex& index() { return index_; }
    const StreamIndex& index() const { return index_; }
    const umbra_ledger_row& ledger() const { return row_; }

private:
    const Options options_;
    StreamFiles files_;
    StreamIndex index_;
    umbra_ledger_row row_{};
};

}  // namespace umbra::offline
