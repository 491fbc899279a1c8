// The Linux receiver's judgement of a segment's header: what happens to it before its bytes are looked at.
// Reads the flow, changes nothing.
#pragma once

#include "flow/segment.h"
#include "reassembly/flow.h"
#include "reassembly/limits.h"

namespace umbra {

struct Judgement {
    enum Kind : std::uint8_t {
        accept,
        drop,              // `reason` says why
        reset,             // a RST that ends the connection
        finish,            // a RST after the client's FIN was delivered
        reset_behind_gap,  // a RST that ends the connection if what lies before it was lost
        give_up,           // nothing tells what the server makes of it: the flow ends
        park,              // depends on a server packet that was not read yet
    };
    Kind kind = accept;
    Reason reason = Reason::duplicate;
};

Judgement judge(const Flow& flow, const Segment& segment, const ReassemblyLimits& limits);
// Remembers the timestamp of an accepted segment, if it is one that counts.
void update_timestamp(Flow& flow, const Segment& segment);

}  // namespace umbra
