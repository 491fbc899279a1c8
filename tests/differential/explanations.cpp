#include "differential/explanations.h"

#include <algorithm>

#include "differential/trace_view.h"
#include "net/seq.h"

namespace umbra::differential {

namespace {

constexpr int kCertainWindow = 20000;  // the kernel's first window, less what small segments cost it

// The application read more than the server acknowledged, because a RST came first: its delayed acknowledgement is
// never sent. We hand on what was acknowledged.
bool reset_before_ack(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    if (setup.mode != Mode::strict || !theirs.bytes.starts_with(ours.bytes) || ours.gap_bytes != 0) return false;
    const std::size_t wanted = ours.bytes.size() + (ours.bytes.size() == theirs.bytes.size() ? 1 : 0);
    return TraceView(script, trace).has_reset() && !TraceView(script, trace).acknowledged_beyond(wanted, theirs);
}

// Which copy of a byte Linux keeps when queued segments contradict each other depends on how it merged them, and on
// what it had no room for.
bool contradicted_bytes(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    const TraceView view(script, trace);
    const bool same_end = ours.bytes.size() == theirs.bytes.size() && ours.end == theirs.end;
    if (setup.as_linux && view.contradicts() && view.count_flag(kUrg) > 0) return true;  // places are shifted
    if (!setup.as_linux || !(same_end || view.has_reset() || view.fin_contradicted())) return false;
    const int taken_out = view.count_flag(kUrg);
    for (std::size_t at = 0; at < std::min(ours.bytes.size(), theirs.bytes.size()); ++at) {
        bool contradicted = ours.bytes[at] == theirs.bytes[at];
        for (int shift = 0; shift <= taken_out && !contradicted; ++shift)
            contradicted = view.contradicted(static_cast<int>(at) + shift);
        if (!contradicted) return false;
    }
    return true;
}

// Whether one becomes the other when at most `bytes` bytes of either are left out.
bool equal_but_for(std::string_view a, std::string_view b, int bytes) {
    const auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    a.remove_prefix(static_cast<std::size_t>(left - a.begin()));
    b.remove_prefix(static_cast<std::size_t>(right - b.begin()));
    if (a.empty() && b.empty()) return true;
    if (bytes == 0) return false;
    return (!a.empty() && equal_but_for(a.substr(1), b, bytes - 1)) ||
           (!b.empty() && equal_but_for(a, b.substr(1), bytes - 1));
}

// Whether a pointer counts, and whether a later one puts the byte of an earlier one back, depends on when the
// application reads, and on packets that are refused before there is a socket.
bool urgent_timing(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    const int urgents = TraceView(script, trace).count_flag(0x20);
    if (!setup.as_linux || urgents == 0) return false;
    if (ours.end != theirs.end && !TraceView(script, trace).has_reset()) return false;
    return equal_but_for(ours.bytes, theirs.bytes, urgents);
}

// A RST with the number of the first byte, sent before the SYN, and read when the SYN-ACK is known already.
bool reset_before_syn(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    // What follows is joined midstream, and says so.
    const bool rest = ours.midstream && theirs.bytes.ends_with(ours.bytes);
    return setup.carriers != Carriers::in_step && (ours.bytes.empty() || rest) &&
           TraceView(script, trace).reset_before_syn();
}

// The server took data with the SYN and reset the connection before the client's first packet was read.
bool fast_open_reset_unread(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    const TraceView view(script, trace);
    return setup.carriers != Carriers::in_step && script.fast_open && ours.bytes.empty() && view.syn_has_data() &&
           view.has_reset();
}

// The client contradicts itself, and the kernel had refused the first copy for what the tap does not see: no room, or
// a timestamp or ACK number that was wrong at that moment. We handed the first copy on.
bool first_copy_refused(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    const TraceView view(script, trace);
    const bool syn_data = script.fast_open && view.syn_has_data();
    if (script.buffer == 0 && !view.refusable() && !syn_data) return false;
    const std::size_t shared = std::min(ours.bytes.size(), theirs.bytes.size());
    for (std::size_t at = 0; at < shared; ++at)
        if (ours.bytes[at] != theirs.bytes[at])
            return view.contradicted(static_cast<int>(at)) || view.count_flag(kUrg) > 0;
    if (ours.end == End::eof && view.fin_contradicted()) return true;
    return ours.bytes.size() > shared && (view.fin_contradicted() || view.count_flag(kUrg) > 0);
}

// Linux joins a queued FIN and queued bytes behind it, and then counts the FIN's place as one of those bytes.
bool bytes_behind_queued_fin(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    const bool prefix = theirs.bytes.starts_with(ours.bytes) || ours.bytes.starts_with(theirs.bytes);
    return setup.as_linux && prefix && TraceView(script, trace).fin_contradicted();
}

// A queued segment that lies beyond the window has no SACK block, so a RST at its end is none. Where the window of a
// small buffer ends is not known here; a first window is at least kCertainWindow.
bool beyond_window(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    const TraceView view(script, trace);
    const bool beyond = script.buffer != 0 || view.ahead() > kCertainWindow;
    return beyond && theirs.bytes.starts_with(ours.bytes) && view.client_reset();
}

// A RST behind bytes that the kernel had refused, so that for it the RST lies elsewhere: we end too early.
bool reset_behind_refused(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    const TraceView view(script, trace);
    const bool ended = ours.bytes.empty() || ours.end == End::reset;
    return ended && theirs.bytes.starts_with(ours.bytes) && view.client_reset() && view.refusable();
}

// Two SYNs within 64 KiB: the second one's number could cover data that came with the first (Fast Open), or be that of
// a packet of the first connection. What we hand on then lacks bytes, as a gap or at the end; only where they are as
// many as the first SYN brought, they are delivered.
bool neighbouring_syns(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    const TraceView view(script, trace);
    if (!view.neighbouring_syns()) return false;
    const bool ended_early = ours.end == End::reset && theirs.bytes.starts_with(ours.bytes);
    if (ours.gap_bytes != 0 || ours.bytes.empty() || ended_early) return true;
    const bool more = ours.bytes.size() > theirs.bytes.size() && ours.bytes.ends_with(theirs.bytes);
    return more && view.syn_brought(static_cast<int>(ours.bytes.size() - theirs.bytes.size()));
}

// What follows on a flow that a RST ended for us and not for the kernel is joined midstream, and says so.
bool rest_of_ended_flow(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    const auto contains = [&ours](const Connection& connection) {
        return connection.bytes.find(ours.bytes) != std::string::npos;
    };
    return ours.midstream && theirs.bytes.empty() && TraceView(script, trace).client_reset() &&
           std::any_of(trace.connections.begin(), trace.connections.end(), contains);
}

// Data on the SYN of a connection whose tuple is in use by one that we think is open: a gap, or nothing.
bool fast_open_on_used_tuple(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    const bool lacks = theirs.bytes.starts_with(ours.bytes) || theirs.bytes.ends_with(ours.bytes) ||
                       ours.gap_bytes != 0 || ours.abandoned;
    return script.fast_open && lacks && TraceView(script, trace).syn_has_data();
}

// After its end the client uses the tuple again with the same ISN: nothing tells its packets from retransmissions.
bool same_isn_again(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    return theirs.bytes.starts_with(ours.bytes) && TraceView(script, trace).same_isn_again();
}

// A handshake refuses a RST with an old timestamp, a connection does not.
bool old_reset_in_handshake(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    return theirs.bytes.starts_with(ours.bytes) && TraceView(script, trace).old_reset();
}

// Packets with the numbers of the tuple's next connection while the former one lives.
bool next_connection_early(const Difference& difference) {
    const auto& [script, trace, setup, result, ours, theirs] = difference;
    const bool lacks = theirs.bytes.starts_with(ours.bytes) || ours.gap_bytes != 0;
    return setup.carriers != Carriers::in_step && lacks && TraceView(script, trace).next_connection_early();
}

struct Explanation {
    const char* name;
    bool (*applies)(const Difference&);
};

constexpr Explanation kExplanations[] = {
    {"reset before the acknowledgement", reset_before_ack},
    {"contradicted bytes", contradicted_bytes},
    {"when the urgent pointer counts", urgent_timing},
    {"a RST before its SYN", reset_before_syn},
    {"contradicting bytes, the first copy was refused", first_copy_refused},
    {"bytes behind a queued FIN", bytes_behind_queued_fin},
    {"a RST behind the end of the window", beyond_window},
    {"a RST behind refused bytes", reset_behind_refused},
    {"two SYNs within 64 KiB", neighbouring_syns},
    {"the rest of a flow that a RST ended for us", rest_of_ended_flow},
    {"Fast Open on a tuple in use", fast_open_on_used_tuple},
    {"the same ISN again", same_isn_again},
    {"a RST with an old timestamp in the handshake", old_reset_in_handshake},
    {"packets of the next connection before its SYN", next_connection_early},
    {"Fast Open and reset before anything was read", fast_open_reset_unread},
};

}  // namespace

const char* explain(const Difference& difference) {
    for (const Explanation& explanation : kExplanations)
        if (explanation.applies(difference)) return explanation.name;
    return nullptr;
}

// What the client's packets alone cannot tell.
bool one_sided_decides(const Script& script, const Trace& trace) {
    if (script.buffer != 0) return false;         // what has room
    if (trace.connections.empty()) return false;  // whether the server accepts
    const TraceView view(script, trace);
    if (std::any_of(script.steps.begin(), script.steps.end(), [](const Step& step) { return step.bad_ip != 0; }))
        return false;                             // whether it arrives
    if (view.server_reset()) return false;        // the server's own end of it
    if (view.different_syns()) return false;      // which of them it answers
    if (view.syn_has_data()) return false;        // whether Fast Open is on, and counts
    if (view.count_flag(kUrg) > 0) return false;  // when the application reads
    if (view.fin_contradicted() || view.contradicts()) return false;
    if (view.ahead() > kCertainWindow) return false;  // where the window ends
    return !view.refusable() && !view.malformed_options() && !view.bare_timestamps() && !view.bare_reset() &&
           !view.neighbouring_syns() && !view.next_connection_early() && !view.same_isn_again() &&
           !view.reset_before_syn();
}

}  // namespace umbra::differential
