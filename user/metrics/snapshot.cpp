#include "metrics/snapshot.h"

#include "metrics/agent_metrics.h"

namespace umbra::metrics {

namespace {

constexpr Metric kUp{"umbra_up", "1 if the agent answered, else 0.", Kind::gauge};
constexpr Metric kSeconds{"umbra_exporter_answer_seconds", "Time that the agent's last answers took.", Kind::gauge};
constexpr Metric kAsked{"umbra_exporter_asked_total", "Times that the exporter asked the agent."};
constexpr Metric kFailures{"umbra_exporter_failures_total", "Times that the agent did not answer in time."};
constexpr Metric kBuild{"umbra_exporter_build_info", "Version of the exporter.", Kind::gauge};

std::string render(const Answers& answers, const Asked& asked) {
    Families families;
    families.add(kUp, {}, answers.failure.empty() ? 1 : 0);
    families.add(kSeconds, {}, answers.seconds);
    families.add(kAsked, {}, static_cast<double>(asked.times));
    families.add(kFailures, {}, static_cast<double>(asked.failures));
    add_info(families, kBuild, {{"version", UMBRA_VERSION}});
    add_status(families, answers.status);
    add_ledger(families, answers.ledger);
    return exposition(std::move(families));
}

}  // namespace

Probe judge_health(const Answers& answers) {
    if (!answers.failure.empty()) return {false, answers.failure};
    return {true, "the agent answers"};
}

Probe judge_readiness(const Answers& answers) {
    if (!answers.failure.empty()) return {false, answers.failure};
    const std::string terminator = text(part(answers.status, "terminator"));
    if (terminator != "running") return {false, "the terminator is not running: " + terminator};
    const Json& kubernetes = part(answers.status, "kubernetes");
    if (!kubernetes.is_null() && part(kubernetes, "synced") != true)
        return {false, "the first picture from the Kubernetes API is not complete"};
    // Somebody's will, or the agent's own caution: no reason to replace the pod. umbra_paused is there for alerts.
    const Json& paused = part(answers.status, "paused");
    if (!paused.is_null()) return {true, "paused by " + text(part(paused, "by")) + ": nothing is cloned"};
    return {true, "rules are in force"};
}

SnapshotPtr make_snapshot(const Answers& answers, const Asked& asked) {
    return std::make_shared<const Snapshot>(
        Snapshot{judge_health(answers), judge_readiness(answers), render(answers, asked)});
}

}  // namespace umbra::metrics
