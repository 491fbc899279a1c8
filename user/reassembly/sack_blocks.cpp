#include "reassembly/sack_blocks.h"

#include <algorithm>

namespace umbra {

void SackBlocks::remove(unsigned index) {
    std::copy(blocks_.begin() + index + 1, blocks_.begin() + count_, blocks_.begin() + index);
    --count_;
}

void SackBlocks::merge_into_first() {
    for (unsigned i = 1; i < count_;) {
        if (blocks_[i].start <= blocks_[0].end && blocks_[0].start <= blocks_[i].end) {
            blocks_[0] = {std::min(blocks_[0].start, blocks_[i].start), std::max(blocks_[0].end, blocks_[i].end)};
            remove(i);
        } else {
            ++i;
        }
    }
}

void SackBlocks::add(StreamPos start, StreamPos end) {
    for (unsigned i = 0; i < count_; ++i) {
        Block& block = blocks_[i];
        if (start > block.end || block.start > end) continue;
        block = {std::min(block.start, start), std::max(block.end, end)};
        std::rotate(blocks_.begin(), blocks_.begin() + i, blocks_.begin() + i + 1);
        return merge_into_first();
    }
    if (count_ == kBlocks) --count_;
    std::copy_backward(blocks_.begin(), blocks_.begin() + count_, blocks_.begin() + count_ + 1);
    blocks_[0] = {start, end};
    ++count_;
}

void SackBlocks::advance(StreamPos next) {
    for (unsigned i = 0; i < count_;) {
        if (blocks_[i].start <= next) {
            remove(i);
        } else {
            ++i;
        }
    }
}

StreamPos SackBlocks::right_edge() const {
    StreamPos edge = 0;
    for (unsigned i = 0; i < count_; ++i) edge = std::max(edge, blocks_[i].end);
    return edge;
}

}  // namespace umbra
