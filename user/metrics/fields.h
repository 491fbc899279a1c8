// Tables from JSON fields to metrics, and how they are read: what is absent or of another kind gives no sample.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "control/message.h"
#include "metrics/families.h"

namespace umbra::metrics {

using control::Json;

struct Field {
    const char* name;
    Metric metric;
};

// Null where there is no such field.
const Json& part(const Json& object, const char* name);
// A string as it is, a number in figures, else nothing.
std::string text(const Json& value);
// A number, a string of figures, true as 1.
std::optional<double> number(const Json& value);

void add_fields(Families& families, std::span<const Field> table, const Json& object, const Labels& labels);
// A gauge that is always 1 and says something by its labels.
void add_info(Families& families, const Metric& metric, const Labels& labels);

}  // namespace umbra::metrics
