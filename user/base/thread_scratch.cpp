#include "base/thread_scratch.h"

#include <utility>

namespace umbra {

namespace {
thread_local ThreadScratch* all = nullptr;
}

void ThreadScratch::note(ThreadScratch*& place) {
    place_ = &place;
    place = this;
    next_ = std::exchange(all, this);
}

void ThreadScratch::release() {
    while (ThreadScratch* const scratch = all) {
        all = scratch->next_;
        *scratch->place_ = nullptr;
        delete scratch;
    }
}

}  // namespace umbra
