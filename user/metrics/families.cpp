#include "metrics/families.h"

#include <prometheus/text_serializer.h>

namespace umbra::metrics {

namespace {

prometheus::ClientMetric sample(const Labels& labels, Kind kind, double value) {
    prometheus::ClientMetric out;
    for (const auto& [name, text] : labels) out.label.push_back({name, text});
    (kind == Kind::counter ? out.counter.value : out.gauge.value) = value;
    return out;
}

}  // namespace

void Families::add(const Metric& metric, const Labels& labels, double value) {
    auto& family = families_.try_emplace(metric.name, Family{metric, {}}).first->second;
    family.samples[labels] += value;
}

std::vector<prometheus::MetricFamily> Families::take() && {
    std::vector<prometheus::MetricFamily> out;
    for (const auto& [name, family] : families_) {
        const Kind kind = family.metric.kind;
        prometheus::MetricFamily made;
        made.name = name;
        made.help = family.metric.help;
        made.type = kind == Kind::counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
        for (const auto& [labels, value] : family.samples) made.metric.push_back(sample(labels, kind, value));
        out.push_back(std::move(made));
    }
    return out;
}

std::string exposition(Families families) { return prometheus::TextSerializer().Serialize(std::move(families).take()); }

}  // namespace umbra::metrics
