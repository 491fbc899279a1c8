#include "agent/clone_state.h"

#include "agent/clone_switch.h"

namespace umbra::agent {

namespace {

using control::Json;

Json to_json(const std::optional<Pause>& pause) {
    if (!pause) return nullptr;
    return {{"uid", pause->uid ? Json(*pause->uid) : Json()}, {"since", pause->since}, {"reason", pause->reason}};
}

Json to_json(const std::optional<LastStep>& last) {
    if (!last) return nullptr;
    return {{"from", last->step.from},
            {"to", last->step.to},
            {"cause", last->step.cause ? Json(pressure_name(*last->step.cause)) : Json()},
            {"at", last->at},
            {"values", last->values}};
}

const Json& part(const Json& json, const char* name) {
    static const Json kNothing;
    const auto found = json.find(name);
    return found == json.end() ? kNothing : *found;
}

bool read(const Json& json, std::optional<Pause>& pause) {
    if (json.is_null()) return true;
    const Json &uid = part(json, "uid"), &since = part(json, "since"), &reason = part(json, "reason");
    if (!(uid.is_null() || uid.is_number_unsigned()) || !since.is_number() || !reason.is_string()) return false;
    pause = Pause{std::nullopt, since.get<double>(), reason.get<std::string>()};
    if (!uid.is_null()) pause->uid = uid.get<uid_t>();
    return CloneSwitch::is_reason(pause->reason);
}

bool read(const Json& json, const char* name, unsigned most, unsigned& value) {
    const Json& number = part(json, name);
    if (!number.is_number_unsigned() || number.get<std::uint64_t>() > most) return false;
    value = number.get<unsigned>();
    return true;
}

bool read(const Json& json, std::optional<LastStep>& last) {
    if (json.is_null()) return true;
    LastStep found;
    const Json &cause = part(json, "cause"), &at = part(json, "at"), &values = part(json, "values");
    if (!read(json, "from", Trip::kPaused, found.step.from) || !read(json, "to", Trip::kPaused, found.step.to))
        return false;
    if (!(cause.is_null() || cause.is_string()) || !at.is_number() || !values.is_string()) return false;
    for (std::size_t i = 0; i < kPressures; ++i) {
        const auto pressure = static_cast<Pressure>(i);
        if (cause.is_string() && cause.get_ref<const std::string&>() == pressure_name(pressure))
            found.step.cause = pressure;
    }
    found.at = at.get<double>();
    found.values = values.get<std::string>();
    last = std::move(found);
    return true;
}

}  // namespace

Json to_json(const CloneState& state) {
    return {{"by_operator", to_json(state.by_operator)},
            {"by_trip", to_json(state.by_trip)},
            {"level", state.level},
            {"relapses", state.relapses},
            {"last_step", to_json(state.last_step)}};
}

Result<CloneState> clone_state_from(const Json& json) {
    CloneState state;
    const bool good = json.is_object() && read(part(json, "by_operator"), state.by_operator) &&
                      read(part(json, "by_trip"), state.by_trip) && read(json, "level", Trip::kPaused, state.level) &&
                      read(json, "relapses", Trip::kMostRelapses, state.relapses) &&
                      read(part(json, "last_step"), state.last_step);
    if (!good) return Error{ErrorCode::failure, "read, state of pause and trip: malformed"};
    return state;
}

}  // namespace umbra::agent
