#include "differential/compare.h"

#include <algorithm>
#include <optional>

#include "differential/explanations.h"

namespace umbra::differential {

namespace {

std::string setup_name(const EngineSetup& setup) {
    static constexpr const char* kCarriers[] = {"in step", "server first", "mixed"};
    return std::string(setup.mode == Mode::strict ? "strict" : "one-sided") + ", " +
           kCarriers[static_cast<int>(setup.carriers)] + ", " + (setup.as_linux ? "as linux" : "drop");
}

std::string describe(const std::string& bytes, const char* end) {
    return std::to_string(bytes.size()) + " bytes, " + end + " \"" +
           (bytes.size() > 200 ? bytes.substr(0, 200) + "..." : bytes) + "\"";
}

std::string describe_ours(const EngineStream& stream) {
    const std::string end = stream.abandoned ? std::string("abandoned as ") + reason_name(stream.reason) : end_name(stream.end);
    return describe(stream.bytes, end.c_str()) +
           (stream.gap_bytes != 0 ? ", gap of " + std::to_string(stream.gap_bytes) : "");
}

// A flow that was given up for a reason that the policy names: what was delivered is a prefix.
bool given_up_rightly(const EngineSetup& setup, const EngineStream& ours, const Connection& theirs) {
    const bool allowed = ours.reason == Reason::overlap_conflict || ours.reason == Reason::urgent;
    return !setup.as_linux && ours.abandoned && allowed && ours.gap_bytes == 0 && theirs.bytes.starts_with(ours.bytes);
}

// So early that no sink was opened. The ledger tells the reason.
bool given_up_unopened(const EngineSetup& setup, const EngineResult& result) {
    return !setup.as_linux && result.muted && result.conflict_bytes + result.urgent_bytes > 0;
}

bool equal(const EngineStream& ours, const Connection& theirs) {
    return !ours.abandoned && ours.gap_bytes == 0 && ours.bytes == theirs.bytes && ours.end == theirs.end;
}

}  // namespace

std::string compare(const Script& script, const Trace& trace, const EngineSetup& setup, const EngineResult& result,
                    Explained& explained) {
    if (!result.fault.empty()) return setup_name(setup) + ": " + result.fault;
    std::vector<Connection> theirs;
    for (const Connection& connection : trace.connections)
        if (!connection.bytes.empty()) theirs.push_back(connection);
    std::size_t next = 0;
    for (const EngineStream& ours : result.streams) {
        if (ours.bytes.empty() && !ours.abandoned && ours.gap_bytes == 0) continue;
        if (next < theirs.size() && (equal(ours, theirs[next]) || given_up_rightly(setup, ours, theirs[next]))) {
            ++next;
            continue;
        }
        const Connection nothing;
        const Connection& expected = next < theirs.size() ? theirs[next] : nothing;
        if (given_up_rightly(setup, ours, expected)) continue;
        const char* const name = explain({script, trace, setup, result, ours, expected});
        if (!name)
            return setup_name(setup) + ":\n  ours " + describe_ours(ours) + "\n  theirs " +
                   describe(expected.bytes, end_name(expected.end));
        ++explained[name];
        if (next < theirs.size()) ++next;
    }
    for (; next < theirs.size(); ++next) {
        if (given_up_unopened(setup, result)) continue;
        const EngineStream nothing;
        const char* const name = explain({script, trace, setup, result, nothing, theirs[next]});
        if (!name)
            return setup_name(setup) + ":\n  ours nothing\n  theirs " +
                   describe(theirs[next].bytes, end_name(theirs[next].end));
        ++explained[name];
    }
    return {};
}

Verdict judge(const Script& script, const Trace& trace, std::uint64_t seed) {
    Verdict verdict;
    const auto run = [&](const EngineSetup& setup) {
        ++verdict.runs;
        verdict.difference = compare(script, trace, setup, run_engine(trace, setup), verdict.explained);
        return verdict.same();
    };
    for (const bool as_linux : {false, true})
        for (const Carriers carriers : {Carriers::in_step, Carriers::server_first, Carriers::mixed})
            if (!run({Mode::strict, carriers, as_linux, script.fast_open != 0, seed})) return verdict;
    if (!one_sided_decides(script, trace)) return verdict;
    ++verdict.one_sided;
    run({Mode::one_sided, Carriers::in_step, true, script.fast_open != 0, seed});
    return verdict;
}

}  // namespace umbra::differential
