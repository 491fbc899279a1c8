// What clients should not do, one at a time.
#pragma once

#include "differential/dice.h"
#include "differential/script.h"

namespace umbra::differential {

// Changes a step of the script or inserts one. `usual` is an empty packet as this client sends it; its stream is
// `total` bytes long.
void add_oddity(Dice& dice, Script& script, const Step& usual, int total);

}  // namespace umbra::differential
