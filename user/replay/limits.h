// Every bound of the replay stage. None is infinite; terminator/limit_table has a row for each.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bound.h"
#include "base/clock.h"

namespace umbra {

struct ReplayLimits {
    Bound hold_bytes = 64 * 1024;                 // a request up to this size is sent only when it is whole
    Bound flow_queue_bytes = 72 * 1024 * 1024;    // queued for one client flow
    Bound total_queue_bytes = 128 * 1024 * 1024;  // memory of all queues of a worker
    Bound flow_requests = 16 * 1024;              // queued for one client flow
    Bound flow_streams = 1024;                    // HTTP/2 requests of one client flow, not settled
    Bound connections = 4096;                     // of a worker
    Bound bandwidth = 1024u * 1024 * 1024;        // bytes per second of a worker to all mirrors
    TimeNs hold_time = 100 * kMillisecond;        // an HTTP/2 request without end is begun after
    TimeNs connect_timeout = 1 * kSecond;
    TimeNs response_timeout = 15 * kSecond;  // without a byte of progress, in either direction
    TimeNs idle_timeout = 60 * kSecond;      // of a kept connection without requests
    Bound breaker_failures = 5;              // failed connection attempts in a row
    TimeNs breaker_first_pause = 200 * kMillisecond;
    TimeNs breaker_longest_pause = 2 * kSecond;
};

}  // namespace umbra
