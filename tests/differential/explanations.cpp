#include "differential/explanations.h"

namespace umbra::differential {

const char* explain(const Difference&) { return nullptr; }
bool one_sided_decides(const Script&, const Trace&) { return false; }

}  // namespace umbra::differential
