// RingSource: one worker's BPF ring buffer of server headers. Records are untrusted: what is not of this version and
// shape is counted and skipped.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"

#include "umbra/abi/record.h"

struct ring_buffer;

namespace umbra {

class RecordSink {
public:
    virtual ~RecordSink() = default;
    virtual void on_record(const umbra_server_record& record) = 0;
    virtual void on_bad_record() = 0;
};

class RingSource {
public:
    // The sink outlives the source. The map is a BPF_MAP_TYPE_RINGBUF.
    static Result<std::unique_ptr<RingSource>> make(UniqueFd map, RecordSink& sink);
    RingSource(const RingSource&) = delete;
    RingSource& operator=(const RingSource&) = delete;
    ~RingSource();

    int fd() const { return map_.get(); }
    // Hands every record that is there to the sink; no system call. Returns how many. Passes on the
    // std::bad_alloc of a sink, whose record is off the ring then.
    unsigned drain();

private:
    RingSource(UniqueFd map, RecordSink& sink) : map_(std::move(map)), sink_(sink) {}
    static int on_sample(void* context, void* data, std::size_t size);

    UniqueFd map_;
    RecordSink& sink_;
    ring_buffer* ring_ = nullptr;
};

// Whether a record of `size` bytes is one that this version understands.
bool valid_record(const void* data, std::size_t size);

}  // namespace umbra
