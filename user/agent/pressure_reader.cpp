#include "agent/pressure_reader.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "agent/process_info.h"

namespace umbra::agent {

namespace {

std::string read_text(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    if (file) text << file.rdbuf();
    return text.str();
}

void observe_process(Observation& seen, pid_t pid) {
    if (const auto ticks = parse_cpu_ticks(read_text("/proc/" + std::to_string(pid) + "/stat")))
        seen.cpu_ticks[pid] = *ticks;
    if (const auto info = read_process(pid))
        seen.resident_bytes = seen.resident_bytes.value_or(0) + info->resident_bytes;
}

}  // namespace

Machine this_machine() {
    const auto positive = [](long value) { return static_cast<unsigned>(std::max(value, 1L)); };
    return {positive(::sysconf(_SC_NPROCESSORS_ONLN)), positive(::sysconf(_SC_CLK_TCK))};
}

Observation observe(const Runtime& runtime, TimeNs now) {
    Observation seen;
    seen.at = now;
    observe_process(seen, ::getpid());
    const TerminatorProcess* terminator = runtime.terminator();
    if (terminator && terminator->pid() > 0) observe_process(seen, terminator->pid());
    seen.softnet = parse_softnet(read_text("/proc/net/softnet_stat"));
    const auto reading = runtime.ledger().glance();
    if (!reading) return seen;
    std::uint64_t injected = 0;
    for (unsigned i = 0; i < runtime.datapath().workers(); ++i) injected += runtime.ledger().worker(i).injected_losses;
    seen.traffic = count_traffic(*reading, injected);
    return seen;
}

}  // namespace umbra::agent
