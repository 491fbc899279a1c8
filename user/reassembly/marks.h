// Marks: places in the client's stream at which the server began to send payload, remembered until the capture has
// caught up with them. First in, first out, bounded by the caller. clear() before it goes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "net/seq.h"
#include "reassembly/slab_pool.h"

#include "umbra/abi/limits.h"

namespace umbra {

class Marks {
public:
    struct Mark {
        Mark* next = nullptr;
        StreamPos at = 0;
        std::uint32_t answer = 0;  // the server's sequence number there
        bool unseen = false;       // the client went on before it saw the answer
        std::uint8_t size = 0;
        std::byte prefix[UMBRA_SERVER_PREFIX];

        Bytes view() const { return {prefix, size}; }
    };

    const Mark* front() const { return head_; }
    Mark* front() { return head_; }
    std::size_t count() const { return count_; }
    // A mark that finds no memory is forgotten: a boundary less is proven. Returns it, or null.
    Mark* push(SlabPool& pool, StreamPos at, Bytes prefix);
    void pop(SlabPool& pool);
    void clear(SlabPool& pool);

private:
    Mark* head_ = nullptr;
    Mark* tail_ = nullptr;
    std::size_t count_ = 0;
};

}  // namespace umbra
