// ExceptionRow: what happens at one limit, in few fixed words. Each folder lists its limits beside them, with the
// values taken from their constants; cli/limits joins the lists for `umbra limits`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/limit_value.h"

namespace umbra {

enum class Action : std::uint8_t {
    drop_packet,       // the packet's bytes are lost to the mirror; what follows is a gap
    not_cloned,        // the kernel makes no copy; the original goes on
    skip,              // the flow is picked up again at its next proven request boundary
    abandon_flow,      // the flow's bytes are dropped from here on, and it is no longer cloned
    refuse_flow,       // a new flow is not followed; others are untouched
    forget_oldest,     // the entry that was not used for longest makes room
    shed_request,      // one request, or raw flow, is not mirrored; the next one is
    open_breaker,      // an endpoint is left alone for a while
    begin_early,       // nothing is lost: a request is sent before its end is known
    close_connection,  // a connection that nothing depends on is closed
    refuse_document,   // the document or plan; the last valid one stays in force
    refuse_request,    // a caller's; it gets an error
    close_client,      // the caller's connection is closed
    drop_object,       // an object of the cluster is kept out, and the rest used
    cut_short,         // text for people is shortened and says so
    lower_share,       // fewer flows are cloned, in the end none
    refuse_start,      // the command ends with an error before it does anything
};

const char* to_string(Action action);

struct ExceptionRow {
    std::string name;
    std::string value;  // by default, or in force; what may be set: in the form that --limit takes
    Action action = Action::shed_request;
    std::string counter;  // a reason of include/umbra/abi/reason.h, or a figure of status or metrics, or "log", "error"
    std::string force;    // what makes it act: a switch of `umbra run`, or an input
    std::string meaning;
    std::uint32_t forced = 0;  // every N-th check acts as if it were reached; 0: none does
};

// A fixed limit, which a caller reaches by what he sends: there is no switch because none is needed.
struct FixedLimit {
    const char* name;
    LimitKind kind;
    std::uint64_t value;
    Action action;
    const char* counter;
    const char* input;
    const char* meaning;
};
std::vector<ExceptionRow> fixed_rows(std::span<const FixedLimit> limits);

}  // namespace umbra
