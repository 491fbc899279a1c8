// Families: Prometheus metric families under construction, sorted by name. A family is described by a Metric; samples
// with equal labels become one, summed up, because a scrape with duplicates is refused whole.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace umbra::metrics {

enum class Kind : std::uint8_t { counter, gauge };

struct Metric {
    const char* name;
    const char* help;
    Kind kind = Kind::counter;
};

using Labels = std::vector<std::pair<const char*, std::string>>;

class Families {
public:
    void add(const Metric& metric, const Labels& labels, double value);
    std::vector<prometheus::MetricFamily> take() &&;

private:
    struct Family {
        Metric metric;
        std::map<Labels, double> samples;
    };
    std::map<std::string, Family> families_;
};

// The text exposition format, version 0.0.4.
std::string exposition(Families families);

}  // namespace umbra::metrics
