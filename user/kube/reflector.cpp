#include "kube/reflector.h"

#include <algorithm>
#include <utility>

namespace umbra::kube {

namespace {

constexpr const char* kPageSize = "500";

}  // namespace

const char* state_name(ReflectorState state) {
    switch (state) {
        case ReflectorState::listing:
            return "listing";
        case ReflectorState::watching:
            return "watching";
        case ReflectorState::absent:
            return "absent";
        case ReflectorState::forbidden:
            return "forbidden";
        case ReflectorState::unauthorized:
            return "unauthorized";
        case ReflectorState::failing:
            break;
    }
    return "failing";
}

Reflector::Reflector(Scope scope, ReflectorTimings timings, Random random, TimeNs now)
    : scope_(std::move(scope)),
      timings_(timings),
      random_(std::move(random)),
      backoff_(timings.first_pause, timings.longest_pause) {
    health_.since = now;
}

std::string Reflector::query() const {
    std::string query;
    if (!scope_.field_selector.empty()) query += "&fieldSelector=" + percent_encoded(scope_.field_selector);
    if (!scope_.label_selector.empty()) query += "&labelSelector=" + percent_encoded(scope_.label_selector);
    return query;
}

std::optional<Ask> Reflector::due(TimeNs now) {
    if (in_flight_ || now < not_before_) return std::nullopt;
    Ask ask;
    ask.watch = next_ == Next::watch;
    ask.fresh_connection = std::exchange(fresh_, false);
    ask.path = resource_path(*scope_.resource, version_, scope_.ns);
    if (ask.watch) {
        const double span = timings_.most_watch_seconds - timings_.least_watch_seconds;
        ask.watch_seconds = timings_.least_watch_seconds + static_cast<std::uint32_t>(random_() * span);
        ask.path += "?watch=1&allowWatchBookmarks=true&resourceVersion=" + percent_encoded(resource_version_) +
                    "&timeoutSeconds=" + std::to_string(ask.watch_seconds) + query();
        ++health_.watches;
    } else {
        ask.path += std::string("?limit=") + kPageSize + query();
        if (!continue_.empty()) ask.path += "&continue=" + percent_encoded(continue_);
        ++health_.lists;
    }
    in_flight_ = true;
    asked_at_ = now;
    events_ = 0;
    watch_spoiled_ = false;
    return ask;
}

void Reflector::enter(ReflectorState state, TimeNs now) {
    if (health_.state != state) health_.since = now;
    health_.state = state;
    if (state == ReflectorState::watching || state == ReflectorState::listing) health_.message.clear();
}

void Reflector::trouble(ReflectorState state, std::string message, TimeNs now) {
    ++health_.errors;
    enter(state, now);
    health_.message = verb() + ", " + describe(scope_) + ": " + std::move(message);
}

void Reflector::list_again() {
    next_ = Next::list;
    continue_.clear();
}

void Reflector::opened(TimeNs now) {
    token_tried_again_ = false;
    refusals_ = 0;
    enter(ReflectorState::watching, now);
}

bool Reflector::line(std::string_view line, ReflectorSink& sink, TimeNs now) {
    const auto event = parse_json(line);
    const std::string type = event ? text_at(*event, {"type"}) : std::string();
    const Json* object = event ? find_at(*event, {"object"}) : nullptr;
    const bool known = type == "ADDED" || type == "MODIFIED" || type == "DELETED" || type == "BOOKMARK";
    if (type == "ERROR" && object) return error_event(*object, now);
    const std::string version = object ? text_at(*object, {"metadata", "resourceVersion"}) : std::string();
    if (!known || version.empty()) {
        trouble(ReflectorState::failing, "an event that cannot be read; listing again", now);
        watch_spoiled_ = true;
        list_again();
        retry_after(backoff_.next(random_), now);
        return false;
    }
    if (type == "DELETED") {
        sink.removed(*object);
    } else if (type != "BOOKMARK") {
        sink.put(*object);
    }
    resource_version_ = version;
    ++events_;
    backoff_.reset();
    return true;
}

bool Reflector::error_event(const Json& status, TimeNs now) {
    watch_spoiled_ = true;
    const auto code = number_at(status, {"code"});
    const TimeNs pause = backoff_.next(random_);
    if (code == 410) {
        list_again();
        enter(ReflectorState::listing, now);
    } else {
        trouble(ReflectorState::failing,
                "the server ended it with code " + std::to_string(code) + ": " +
                    status_message(status.dump(-1, ' ', false, Json::error_handler_t::replace)),
                now);
    }
    retry_after(pause, now);
    return false;
}

void Reflector::finished(const ApiAnswer& answer, ReflectorSink& sink, TimeNs now) {
    in_flight_ = false;
    if (watch_spoiled_) return;
    not_before_ = now;
    if (answer.status == 200 && next_ == Next::watch) return watch_finished(answer, now);
    if (answer.status == 200 && answer.complete()) return list_finished(answer, sink, now);
    refused(answer, sink, now);
}

void Reflector::watch_finished(const ApiAnswer& answer, TimeNs now) {
    if (answer.too_large) {
        trouble(ReflectorState::failing, answer.failure + "; listing again", now);
        list_again();
        return retry_after(backoff_.next(random_), now);
    }
    fresh_ = answer.silent;
    if (now - asked_at_ >= timings_.longest_pause) backoff_.reset();
    if (!answer.complete()) {
        trouble(ReflectorState::failing, answer.failure, now);
        return retry_after(backoff_.next(random_), now);
    }
    if (events_ == 0 && now - asked_at_ < timings_.short_watch) return retry_after(backoff_.next(random_), now);
    backoff_.reset();
}

void Reflector::list_finished(const ApiAnswer& answer, ReflectorSink& sink, TimeNs now) {
    const auto page = parse_json(answer.body);
    const bool readable = page && !text_at(*page, {"metadata", "resourceVersion"}).empty();
    if (!readable) {
        trouble(ReflectorState::failing, "an answer that is no list", now);
        list_again();
        return retry_after(backoff_.next(random_), now);
    }
    take_page(*page, sink, now);
}

void Reflector::take_page(const Json& page, ReflectorSink& sink, TimeNs now) {
    if (continue_.empty()) sink.list_begins();
    for (const Json& object : list_at(page, {"items"})) sink.put(object);
    resource_version_ = text_at(page, {"metadata", "resourceVersion"});
    continue_ = text_at(page, {"metadata", "continue"});
    token_tried_again_ = false;
    // Where the watch was refused, that stays a trouble until one is answered.
    if (health_.state != ReflectorState::forbidden) {
        refusals_ = 0;
        enter(ReflectorState::listing, now);
    }
    if (!continue_.empty()) return;
    sink.list_ends();
    settled_ = true;
    next_ = Next::watch;
}

void Reflector::refused(const ApiAnswer& answer, ReflectorSink& sink, TimeNs now) {
    if (answer.status == 401) return unauthorized(answer, now);
    if (answer.status == 403) return forbidden(answer, now);
    if (answer.status == 404) return absent(sink, now);
    TimeNs pause = backoff_.next(random_);
    if (answer.status == 410) {
        list_again();
        enter(ReflectorState::listing, now);
        return retry_after(pause, now);
    }
    fresh_ = answer.silent;
    pause = std::max(pause, answer.retry_after.value_or(0));
    const std::string cause = answer.complete()
                                  ? "HTTP " + std::to_string(answer.status) + ": " + status_message(answer.body)
                                  : answer.failure;
    trouble(ReflectorState::failing, cause, now);
    // What the server calls a bad request may be a continue or a version that it no longer knows.
    if (answer.status >= 400 && answer.status < 500 && answer.status != 429) list_again();
    retry_after(pause, now);
}

void Reflector::unauthorized(const ApiAnswer& answer, TimeNs now) {
    // The token may just have been renewed; every request reads it anew.
    if (!std::exchange(token_tried_again_, true)) return;
    trouble(ReflectorState::unauthorized, "not authorized: " + status_message(answer.body), now);
    retry_after(backoff_.next(random_), now);
}

// A server that is starting may refuse what it grants a moment later: one refusal alone is not believed.
void Reflector::forbidden(const ApiAnswer& answer, TimeNs now) {
    trouble(
        ReflectorState::forbidden,
        "forbidden; grant the verb '" + verb() + "' on " + scope_.resource->plural + ": " + status_message(answer.body),
        now);
    list_again();
    retry_after(++refusals_ == 1 ? timings_.confirm_pause : timings_.refused_pause, now);
    if (refusals_ > 1) settled_ = true;
}

void Reflector::absent(ReflectorSink& sink, TimeNs now) {
    list_again();
    version_ = (version_ + 1) % scope_.resource->versions.size();
    if (version_ != 0) return;
    enter(ReflectorState::absent, now);
    health_.message = "the API has no " + std::string(scope_.resource->plural);
    if (++refusals_ == 1) return retry_after(timings_.confirm_pause, now);
    if (refusals_ == 2) {
        sink.list_begins();
        sink.list_ends();
    }
    settled_ = true;
    retry_after(timings_.absent_pause, now);
}

}  // namespace umbra::kube
