// SackBlocks: the selective-acknowledgement blocks that the Linux receiver would report, newest first. Needed for
// one rule only: a RST at the right edge of the highest block resets the connection.
#pragma once

#include <array>
#include <cstdint>

#include "net/seq.h"

namespace umbra {

class SackBlocks {
public:
    // A segment was queued out of order.
    void add(StreamPos start, StreamPos end);
    // Everything before `next` has arrived.
    void advance(StreamPos next);
    void clear() { count_ = 0; }
    // The highest right edge; 0 without blocks.
    StreamPos right_edge() const;

private:
    struct Block {
        StreamPos start, end;
    };
    void remove(unsigned index);
    void merge_into_first();

    static constexpr unsigned kBlocks = 4;
    std::array<Block, kBlocks> blocks_{};
    std::uint8_t count_ = 0;
};

}  // namespace umbra
