// LeaderElection: one holder of a Lease among all controllers. A state machine over answers of the API: it says what to
// ask next and is told what came. Other machines' clocks do not matter: a lease has run out when it was not seen to
// change for its duration. Two changes at a time are settled by the server (resourceVersion).
#pragma once

#include <optional>
#include <string>

#include "kube/api_answer.h"
#include "kube/backoff.h"
#include "kube/json_text.h"

namespace umbra::kube {

struct ElectionTimings {
    TimeNs duration = 15 * kSecond;  // a lease that is not renewed
    TimeNs renew = 5 * kSecond;
    TimeNs deadline = 10 * kSecond;  // without a renewal the leader steps back, before another can take over
    TimeNs refused = 30 * kSecond;   // the pause after 403
};

struct ElectionStep {
    std::string method;  // GET, POST: create, PUT: replace
    Json lease;          // for POST and PUT
};

class LeaderElection {
public:
    LeaderElection(std::string identity, std::string ns, ElectionTimings timings, Random random);

    // wall: seconds since 1970, for the lease's renewTime.
    std::optional<ElectionStep> due(TimeNs now, double wall);
    void answered(const ApiAnswer& answer, TimeNs now);
    TimeNs wake_at() const { return in_flight_ ? ~TimeNs{0} : not_before_; }

    bool leads(TimeNs now) const { return leading_ && now < renewed_at_ + timings_.deadline; }
    const std::string& holder() const { return holder_; }    // as last seen; may be empty
    const std::string& message() const { return message_; }  // the last trouble; empty when there is none

    // Gives the lease back; due() says how. Nothing is asked for after that.
    void release() { releasing_ = true; }
    bool released() const { return releasing_ && !leading_ && !in_flight_; }

private:
    enum class Next { look, create, replace };

    Json lease(double wall) const;
    void saw(const Json& lease, TimeNs now);
    void won(const Json& lease);
    void refused(const ApiAnswer& answer, TimeNs now);
    bool may_take(TimeNs now) const;
    void pause(TimeNs length, TimeNs now) { not_before_ = now + length; }

    std::string identity_, ns_;
    ElectionTimings timings_;
    Random random_;
    Next next_ = Next::look;
    bool in_flight_ = false, leading_ = false, releasing_ = false, release_sent_ = false;
    TimeNs not_before_ = 0, asked_at_ = 0, renewed_at_ = 0;
    Json seen_;           // the lease as it was seen last
    TimeNs seen_at_ = 0;  // when it was seen to change
    std::string holder_, message_;
};

}  // namespace umbra::kube
