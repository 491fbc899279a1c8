#include "capture/ring_source.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <string>

#include "umbra/abi/version.h"

namespace umbra {

bool valid_record(const void* data, std::size_t size) {
    if (size != sizeof(umbra_server_record)) return false;
    const auto& record = *static_cast<const umbra_server_record*>(data);
    return record.version == UMBRA_ABI_VERSION && record.type == UMBRA_RECORD_SERVER_HEADER &&
           record.options_len <= sizeof record.options && record.prefix_len <= sizeof record.prefix &&
           record.prefix_len <= record.payload_len;
}

Result<std::unique_ptr<RingSource>> RingSource::make(UniqueFd map, RecordSink& sink) {
    std::unique_ptr<RingSource> source(new RingSource(std::move(map), sink));
    source->ring_ = ring_buffer__new(source->map_.get(), &RingSource::on_sample, source.get(), nullptr);
    if (source->ring_ == nullptr)
        return Error{ErrorCode::failure, "map ring buffer 'umbra_rings': " + std::string(std::strerror(errno)),
                     "raise the memory limit of the terminator, or lower the ring's size"};
    return source;
}

RingSource::~RingSource() { ring_buffer__free(ring_); }

unsigned RingSource::drain() {
    const int records = ring_buffer__consume(ring_);
    if (records == -ENOMEM) throw std::bad_alloc();
    return records > 0 ? static_cast<unsigned>(records) : 0;
}

int RingSource::on_sample(void* context, void* data, std::size_t size) {
    auto& source = *static_cast<RingSource*>(context);
    try {
        if (valid_record(data, size))
            source.sink_.on_record(*static_cast<const umbra_server_record*>(data));
        else
            source.sink_.on_bad_record();
        return 0;
    } catch (const std::bad_alloc&) {
        return -ENOMEM;  // libbpf takes the record off the ring and stops; drain() goes on from here
    }
}

}  // namespace umbra
