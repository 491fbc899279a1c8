// What the flows of one worker share.
#pragma once

#include "reassembly/limits.h"
#include "reassembly/recent_syns.h"
#include "reassembly/slab_pool.h"
#include "reassembly/stream_sink.h"

namespace umbra {

struct ReassemblyShared {
    const ReassemblyLimits limits;
    const Mode mode;
    StreamObserver& observer;
    umbra_worker_row& worker;
    SlabPool pool;
    RecentSyns recent_syns;
    std::uint64_t epoch = 0;  // server headers handed in so far
};

}  // namespace umbra
