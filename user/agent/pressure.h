// What /proc and the ledger say of the pressure that the agent is under or makes: parsers, and the difference of two
// observations. Values in, values out; observe() in pressure_reader.h reads them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "agent/ledger_close.h"
#include "agent/trip.h"

namespace umbra::agent {

// User and system time of /proc/PID/stat.
std::optional<std::uint64_t> parse_cpu_ticks(std::string_view stat);
// Dropped packets and time squeezes of all CPUs in /proc/net/softnet_stat.
std::optional<std::uint64_t> parse_softnet(std::string_view text);

struct TrafficCounts {
    std::uint64_t taken = 0;  // packets of both sides that were to be captured
    std::uint64_t lost = 0;   // those of them that the terminator did not get
    std::uint64_t finished = 0;
    std::uint64_t mirror_errors = 0;  // finished requests that were dropped because of a mirror
};

// injected: clones that --inject-loss threw away.
TrafficCounts count_traffic(const LedgerReading& reading, std::uint64_t injected);

struct Observation {
    TimeNs at = 0;
    std::map<pid_t, std::uint64_t> cpu_ticks;  // of the processes that can be seen
    std::optional<std::uint64_t> resident_bytes;
    std::optional<std::uint64_t> softnet;
    std::optional<TrafficCounts> traffic;
};

struct Machine {
    unsigned cpus = 1;
    unsigned ticks_per_second = 100;
};

// Counters that went back (a slot given to another rule) count as unchanged. volume: as in TripSettings.
PressureValues pressure_between(const Observation& before, const Observation& now, const Machine& machine,
                                double volume);

}  // namespace umbra::agent
