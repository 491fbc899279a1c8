#include "agent/clone_switch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/pressure_reader.h"
#include "kube/wall_time.h"

namespace umbra::agent {

namespace {

using control::Json;

std::string print(const PressureValues& values) {
    std::string text;
    for (std::size_t i = 0; i < kPressures; ++i) {
        const auto pressure = static_cast<Pressure>(i);
        if (!text.empty()) text += ' ';
        text += fmt::format("{}={}", pressure_name(pressure), values[i] ? print_pressure(pressure, *values[i]) : "?");
    }
    return text;
}

loader::CloneShare share_of(unsigned level) {
    if (level >= Trip::kPaused) return {.halvings = Trip::kPaused - 1, .paused = true};
    return {.halvings = level, .paused = false};
}

std::string share_text(unsigned level) { return fmt::format("{:.4g}%", share_of(level).value() * 100); }

std::string cause_text(const TripStep& step) { return step.cause ? pressure_name(*step.cause) : "calm"; }

}  // namespace

CloneSwitch::CloneSwitch(Runtime& runtime, const TripSettings& settings, std::function<void()> changed)
    : runtime_(runtime), settings_(settings), changed_(std::move(changed)), machine_(this_machine()), trip_(settings) {}

bool CloneSwitch::is_reason(const std::string& reason) {
    const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
    return reason.size() <= kMaxReason && std::ranges::none_of(reason, is_control);
}

loader::CloneShare CloneSwitch::wanted() const {
    loader::CloneShare share = share_of(trip_.level());
    share.paused = share.paused || by_operator_;
    return share;
}

Result<void> CloneSwitch::put_in_force() {
    if (runtime_.share() == wanted()) return {};
    auto used = runtime_.set_share(wanted());
    if (used && told_paused_ != runtime_.share().paused) {
        told_paused_ = runtime_.share().paused;
        changed_();
    }
    return used;
}

Result<void> CloneSwitch::pause(uid_t uid, const std::string& reason) {
    const auto before = by_operator_;
    by_operator_ = Pause{uid, kube::wall_now(), reason};
    auto used = put_in_force();
    if (!used) by_operator_ = before;
    if (used) spdlog::warn("paused uid={} reason=\"{}\"; nothing is mirrored until `umbra resume`", uid, reason);
    return used;
}

Result<void> CloneSwitch::resume(uid_t uid) {
    const auto before = by_operator_;
    by_operator_.reset();
    const Trip tripped = trip_;
    trip_.reset();
    auto used = put_in_force();
    if (!used) {
        by_operator_ = before;
        trip_ = tripped;
        return used;
    }
    by_trip_.reset();
    spdlog::info("resumed uid={}", uid);
    return {};
}

CloneState CloneSwitch::state() const { return {by_operator_, by_trip_, trip_.level(), trip_.relapses(), last_step_}; }

Result<void> CloneSwitch::adopt(const CloneState& state) {
    by_operator_ = state.by_operator;
    if (settings_.enabled()) {
        by_trip_ = state.by_trip;
        last_step_ = state.last_step;
        trip_.adopt(state.level, state.relapses);
    }
    return put_in_force();
}

void CloneSwitch::take(const TripStep& step, const PressureValues& values) {
    last_step_ = LastStep{step, kube::wall_now(), print(values)};
    const bool paused = step.to == Trip::kPaused;
    by_trip_.reset();
    if (paused) {
        by_trip_ = Pause{std::nullopt, last_step_->at, ""};
        if (step.cause) {
            const auto cause = static_cast<std::size_t>(*step.cause);
            by_trip_->reason = fmt::format("{} {} above {}", pressure_name(*step.cause),
                                           print_pressure(*step.cause, values[cause].value_or(0)),
                                           print_pressure(*step.cause, settings_.thresholds[cause].value_or(0)));
        }
    }
    const auto level = step.down() ? spdlog::level::warn : spdlog::level::info;
    spdlog::log(level, "trip cause={} share={} before={} {} wait={}s", cause_text(step), share_text(step.to),
                share_text(step.from), last_step_->values, trip_.wait() / kSecond);
}

void CloneSwitch::observe(const Observation& seen) {
    const auto before = std::exchange(seen_, seen);
    if (!before) return;
    values_ = pressure_between(*before, seen, machine_, settings_.volume);
    // While an operator has paused, nothing is learned of how much could be cloned.
    if (by_operator_) return;
    if (const auto step = trip_.step(values_, seen.at)) take(*step, values_);
    if (const auto used = put_in_force(); !used)
        spdlog::error("the share of flows could not be changed: {}; tried again in a second", used.error().message);
}

Json CloneSwitch::trip_report() const {
    Json rows = Json::array();
    for (const auto& setting : list_trip(settings_))
        rows.push_back({{"name", setting.name}, {"value", setting.value}, {"meaning", setting.meaning}});
    for (std::size_t i = 0; i < kPressures; ++i) {
        const auto pressure = static_cast<Pressure>(i);
        if (values_[i]) rows[i]["now"] = print_pressure(pressure, *values_[i]);
    }
    Json trips = Json::array();
    for (std::size_t i = 0; i < kPressures; ++i)
        trips.push_back({{"threshold", pressure_name(static_cast<Pressure>(i))}, {"trips", trip_.trips()[i]}});
    Json report{{"enabled", settings_.enabled()},
                {"level", trip_.level()},
                {"wait_seconds", trip_.wait() / kSecond},
                {"trips", std::move(trips)},
                {"settings", std::move(rows)}};
    if (last_step_) {
        report["last"] = {{"at", kube::rfc3339(last_step_->at)},
                          {"cause", cause_text(last_step_->step)},
                          {"from", share_text(last_step_->step.from)},
                          {"to", share_text(last_step_->step.to)},
                          {"values", last_step_->values}};
    }
    return report;
}

void CloneSwitch::report(Json& status) const {
    const auto& pause = by_operator_ ? by_operator_ : by_trip_;
    status["paused"] = nullptr;
    if (pause) {
        status["paused"] = {{"by", pause->uid ? "uid " + std::to_string(*pause->uid) : "trip"},
                            {"since", kube::rfc3339(pause->since)},
                            {"reason", pause->reason}};
    }
    status["clone_share"] = runtime_.share().value();
    status["trip"] = trip_report();
}

}  // namespace umbra::agent
