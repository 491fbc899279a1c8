#include "kube/leader_election.h"

#include <utility>

#include "kube/wall_time.h"

namespace umbra::kube {

LeaderElection::LeaderElection(std::string identity, std::string ns, ElectionTimings timings, Random random)
    : identity_(std::move(identity)), ns_(std::move(ns)), timings_(timings), random_(std::move(random)) {}

std::optional<ElectionStep> LeaderElection::due(TimeNs now, double wall) {
    if (in_flight_) return std::nullopt;
    if (releasing_) {
        leading_ = leading_ && next_ == Next::replace;
        if (!leading_) return std::nullopt;
        release_sent_ = true;
    } else if (now < not_before_) {
        return std::nullopt;
    }
    in_flight_ = true;
    asked_at_ = now;
    if (next_ == Next::look) return ElectionStep{"GET", {}};
    return ElectionStep{next_ == Next::create ? "POST" : "PUT", lease(wall)};
}

Json LeaderElection::lease(double wall) const {
    const std::string now = rfc3339_micro(wall);
    const bool goes_on = text_at(seen_, {"spec", "holderIdentity"}) == identity_;
    std::string acquired = goes_on ? text_at(seen_, {"spec", "acquireTime"}) : now;
    if (acquired.empty()) acquired = now;
    const auto transitions = number_at(seen_, {"spec", "leaseTransitions"}) + (goes_on || seen_.is_null() ? 0 : 1);
    Json metadata{{"name", "umbra-leader"}, {"namespace", ns_}, {"labels", {{"app.kubernetes.io/name", "umbra"}}}};
    if (next_ == Next::replace) metadata["resourceVersion"] = text_at(seen_, {"metadata", "resourceVersion"});
    return {{"apiVersion", "coordination.k8s.io/v1"},
            {"kind", "Lease"},
            {"metadata", std::move(metadata)},
            {"spec",
             {{"holderIdentity", releasing_ ? "" : identity_},
              {"leaseDurationSeconds", releasing_ ? 1 : timings_.duration / kSecond},
              {"acquireTime", acquired},
              {"renewTime", now},
              {"leaseTransitions", transitions}}}};
}

bool LeaderElection::may_take(TimeNs now) const {
    return holder_.empty() || holder_ == identity_ || now - seen_at_ >= timings_.duration;
}

void LeaderElection::saw(const Json& lease, TimeNs now) {
    const bool changed =
        text_at(lease, {"metadata", "resourceVersion"}) != text_at(seen_, {"metadata", "resourceVersion"});
    if (changed || seen_.is_null()) seen_at_ = now;
    seen_ = lease;
    holder_ = text_at(lease, {"spec", "holderIdentity"});
}

void LeaderElection::won(const Json& lease) {
    seen_ = lease;
    seen_at_ = renewed_at_ = asked_at_;
    holder_ = text_at(lease, {"spec", "holderIdentity"});
    leading_ = holder_ == identity_;
    next_ = Next::replace;
}

void LeaderElection::answered(const ApiAnswer& answer, TimeNs now) {
    in_flight_ = false;
    const auto lease = answer.complete() ? parse_json(answer.body) : std::nullopt;
    const bool good = (answer.status == 200 || answer.status == 201) && lease && lease->is_object();
    const TimeNs jitter = static_cast<TimeNs>(random_() * static_cast<double>(kSecond));
    if (!good) {
        refused(answer, now);
    } else if (next_ == Next::look) {
        message_.clear();
        saw(*lease, now);
        leading_ = leading_ && holder_ == identity_;
        next_ = may_take(now) ? Next::replace : Next::look;
        pause(next_ == Next::replace ? 0 : timings_.renew + jitter, now);
    } else {
        message_.clear();
        won(*lease);
        pause(timings_.renew, now);
    }
    if (release_sent_) leading_ = false;
}

void LeaderElection::refused(const ApiAnswer& answer, TimeNs now) {
    const Next tried = next_;
    const std::string verb = tried == Next::look ? "get" : tried == Next::create ? "create" : "update";
    next_ = Next::look;
    if (answer.status == 404 && tried == Next::look) {
        next_ = Next::create;
        seen_ = Json();
        holder_.clear();
        return pause(0, now);
    }
    if (answer.status == 409) {  // another was quicker
        leading_ = false;
        return pause(timings_.renew, now);
    }
    message_ = verb + ", lease umbra-leader in " + ns_ + ": ";
    message_ += answer.complete() ? "HTTP " + std::to_string(answer.status) + ": " + status_message(answer.body)
                                  : answer.failure;
    const TimeNs length = answer.status == 403 ? timings_.refused : timings_.renew / 2;
    pause(length + static_cast<TimeNs>(random_() * static_cast<double>(kSecond)), now);
}

}  // namespace umbra::kube
