// Says in the log which mirrors cannot be reached because their TLS settings are of no use, and why. Their requests are
// dropped as tls_failed.
#pragma once

#include "rules/plan.h"

namespace umbra {

void report_unusable_tls(const rules::Plan& plan);

}  // namespace umbra
