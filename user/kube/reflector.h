// Reflector: keeps a picture of one scope true by list and watch. A state machine: it says what to ask and when, is
// told what came, and hands objects on. It reads no clock and does no I/O.
//
//   list, page by page -> watch from its resourceVersion -> (ended, cut, stalled) watch again from the last version
//   410 in any form, or an event that cannot be read -> list again; the receiver swaps by difference (list_ends)
//   404 -> the next version of the API; none has it -> absent, asked again at long intervals
//   everything else that goes wrong -> again later, what is known stays
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kube/api_answer.h"
#include "kube/backoff.h"
#include "kube/json_text.h"
#include "kube/resource.h"

namespace umbra::kube {

struct ReflectorTimings {
    TimeNs first_pause = 100 * kMillisecond;
    TimeNs longest_pause = 30 * kSecond;
    TimeNs confirm_pause = kSecond;  // before a first 403 or 404 is believed
    TimeNs absent_pause = 15 * kSecond;
    TimeNs refused_pause = 30 * kSecond;
    TimeNs short_watch = 5 * kSecond;  // a watch that ends sooner without an event counts as trouble
    std::uint32_t least_watch_seconds = 240;
    std::uint32_t most_watch_seconds = 300;
};

class ReflectorSink {
public:
    virtual ~ReflectorSink() = default;
    virtual void list_begins() = 0;
    virtual void put(const Json& object) = 0;
    virtual void removed(const Json& object) = 0;
    virtual void list_ends() = 0;  // what was not put since list_begins is gone
};

struct Ask {
    bool watch = false;
    std::string path;                 // with the query
    bool fresh_connection = false;    // the last one was silent
    std::uint32_t watch_seconds = 0;  // after which the server ends the watch
};

enum class ReflectorState { listing, watching, absent, forbidden, unauthorized, failing };
const char* state_name(ReflectorState state);

struct ReflectorHealth {
    ReflectorState state = ReflectorState::listing;
    std::uint64_t lists = 0, watches = 0, errors = 0;
    std::string message;  // of the last trouble; empty once it is over
    TimeNs since = 0;     // the state began
};

class Reflector {
public:
    Reflector(Scope scope, ReflectorTimings timings, Random random, TimeNs now);

    // What to ask now; nothing while a request is under way or a pause lasts.
    std::optional<Ask> due(TimeNs now);
    // When due() has something next; the far future while a request is under way.
    TimeNs wake_at() const { return in_flight_ ? ~TimeNs{0} : not_before_; }

    bool lists_next() const { return next_ == Next::list; }

    // The watch was answered with 200.
    void opened(TimeNs now);
    // One line of the watch. False: the watch must be ended; finished() follows.
    bool line(std::string_view line, ReflectorSink& sink, TimeNs now);
    void finished(const ApiAnswer& answer, ReflectorSink& sink, TimeNs now);

    const Scope& scope() const { return scope_; }
    std::size_t version() const { return version_; }  // which of the resource's versions is used
    const ReflectorHealth& health() const { return health_; }
    // The first picture is complete, or it is certain that there is none to be had.
    bool settled() const { return settled_; }

private:
    enum class Next { list, watch };

    std::string query() const;
    void list_finished(const ApiAnswer& answer, ReflectorSink& sink, TimeNs now);
    void watch_finished(const ApiAnswer& answer, TimeNs now);
    void take_page(const Json& page, ReflectorSink& sink, TimeNs now);
    bool error_event(const Json& status, TimeNs now);
    void refused(const ApiAnswer& answer, ReflectorSink& sink, TimeNs now);
    void unauthorized(const ApiAnswer& answer, TimeNs now);
    void forbidden(const ApiAnswer& answer, TimeNs now);
    void absent(ReflectorSink& sink, TimeNs now);
    void trouble(ReflectorState state, std::string message, TimeNs now);
    void retry_after(TimeNs pause, TimeNs now) { not_before_ = now + pause; }
    void list_again();
    void enter(ReflectorState state, TimeNs now);
    std::string verb() const { return next_ == Next::list ? "list" : "watch"; }

    Scope scope_;
    ReflectorTimings timings_;
    Random random_;
    Backoff backoff_;
    ReflectorHealth health_;

    Next next_ = Next::list;
    bool in_flight_ = false;
    bool fresh_ = false;
    TimeNs not_before_ = 0;
    TimeNs asked_at_ = 0;
    std::size_t version_ = 0;
    std::string resource_version_;
    std::string continue_;
    std::uint64_t events_ = 0;    // of the running watch
    std::uint32_t refusals_ = 0;  // 403 or 404 in a row
    bool token_tried_again_ = false;
    bool watch_spoiled_ = false;  // line() has judged this watch; finished() has nothing to add
    bool settled_ = false;
};

}  // namespace umbra::kube
