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
    const std::string end =
        stream.abandoned ? std::string("abandoned as ") + reason_name(stream.reason) : end_name(stream.end);
    return describe(stream.bytes, end.c_str()) +
           (stream.gap_bytes != 0 ? ", gap of " + std::to_string(stream.gap_bytes) : "");
}

// A flow that was given up for a reason that the policy names: what was delivered is a prefix.
bool given_up_rightly(const EngineSetup& setup, const EngineStream& ours, const Connection& theirs) {
    const bool allowed = ours.reason == Reason::overlap_conflict || ours.reason == Reason::urgent ||
                         ours.reason == Reason::out_of_window;
    return !setup.as_linux && ours.abandoned && allowed && ours.gap_bytes == 0 && theirs.bytes.starts_with(ours.bytes);
}

// So early that no sink was opened. The ledger tells the reason.
bool given_up_unopened(const EngineSetup& setup, const EngineResult& result) { return !setup.as_linux && result.muted; }

bool equal(const EngineStream& ours, const Connection& theirs) {
    return !ours.abandoned && ours.gap_bytes == 0 && ours.bytes == theirs.bytes && ours.end == theirs.end;
}

// Finds which of our streams is which of the application's connections; either may lack one that can be explained.
class Alignment {
public:
    Alignment(const Script& script, const Trace& trace, const EngineSetup& setup, const EngineResult& result)
        : script_(script), trace_(trace), setup_(setup), result_(result) {
        for (const Connection& connection : trace.connections)
            if (!connection.bytes.empty()) theirs_.push_back(connection);
        for (const EngineStream& stream : result.streams)
            if (!stream.bytes.empty() || stream.gap_bytes != 0) ours_.push_back(stream);
    }

    bool align(std::size_t i = 0, std::size_t j = 0) {
        if (i == ours_.size() && j == theirs_.size()) return true;
        const std::size_t before = names_.size();
        const auto attempt = [&](bool use_ours, bool use_theirs) {
            const EngineStream ours = use_ours ? ours_[i] : EngineStream{};
            const Connection theirs = use_theirs ? theirs_[j] : Connection{};
            names_.resize(before);
            return accepts(ours, theirs, use_ours) && align(i + use_ours, j + use_theirs);
        };
        if (i < ours_.size() && j < theirs_.size() && attempt(true, true)) return true;
        if (j < theirs_.size() && attempt(false, true)) return true;
        return i < ours_.size() && attempt(true, false);
    }
    const std::vector<const char*>& names() const { return names_; }
    std::string text() const {
        std::string lines;
        for (const EngineStream& ours : ours_) lines += "\n  ours   " + describe_ours(ours);
        for (const Connection& theirs : theirs_) lines += "\n  theirs " + describe(theirs.bytes, end_name(theirs.end));
        return lines;
    }

private:
    bool accepts(const EngineStream& ours, const Connection& theirs, bool opened) {
        if (opened ? equal(ours, theirs) || given_up_rightly(setup_, ours, theirs) : given_up_unopened(setup_, result_))
            return true;
        const char* const name = explain({script_, trace_, setup_, result_, ours, theirs});
        if (name) names_.push_back(name);
        return name != nullptr;
    }

    const Script& script_;
    const Trace& trace_;
    const EngineSetup& setup_;
    const EngineResult& result_;
    std::vector<EngineStream> ours_;
    std::vector<Connection> theirs_;
    std::vector<const char*> names_;
};

}  // namespace

std::string compare(const Script& script, const Trace& trace, const EngineSetup& setup, const EngineResult& result,
                    Explained& explained) {
    if (!result.fault.empty()) return setup_name(setup) + ": " + result.fault;
    Alignment alignment(script, trace, setup, result);
    if (!alignment.align()) return setup_name(setup) + ":" + alignment.text();
    for (const char* const name : alignment.names())
        ++explained[(setup.as_linux ? "as linux, " : "drop, ") + std::string(name)];
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
