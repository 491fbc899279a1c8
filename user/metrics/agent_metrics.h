// From the agent's answers, `umbra status -o json` and `umbra ledger -o json`, to metrics. Pure: what an answer does
// not have, or has in another form, gives no sample.
#pragma once

#include "metrics/fields.h"

namespace umbra::metrics {

void add_ledger(Families& families, const Json& ledger);
void add_status(Families& families, const Json& status);
// The field `kubernetes` of the status.
void add_kubernetes(Families& families, const Json& kubernetes);

}  // namespace umbra::metrics
