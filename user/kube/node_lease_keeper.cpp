#include "kube/node_lease_keeper.h"

#include <algorithm>
#include <utility>

namespace umbra::kube {

void NodeLeaseKeeper::report(Report report, TimeNs now) {
    if (report == report_) return;
    report_ = std::move(report);
    changed_ = true;
    not_before_ = std::max(refused_until_, std::min(not_before_, now + timings_.debounce));
}

std::optional<ElectionStep> NodeLeaseKeeper::due(TimeNs now, double wall) {
    if (in_flight_ || now < not_before_) return std::nullopt;
    in_flight_ = true;
    changed_ = false;
    Json lease = node_lease(node_, ns_, report_, wall);
    if (create_) return ElectionStep{"POST", std::move(lease)};
    lease.erase("apiVersion");
    lease.erase("kind");
    lease["metadata"].erase("name");
    lease["metadata"].erase("namespace");
    return ElectionStep{"PATCH", std::move(lease)};
}

void NodeLeaseKeeper::answered(const ApiAnswer& answer, TimeNs now) {
    in_flight_ = false;
    const bool tried_to_create = create_;
    create_ = false;
    if (answer.complete() && (answer.status == 200 || answer.status == 201)) {
        message_.clear();
        not_before_ = now + (changed_ ? timings_.debounce : timings_.renew);
        return;
    }
    if (answer.status == 404 && !tried_to_create) {
        create_ = true;
        not_before_ = now;
        return;
    }
    message_ =
        std::string(tried_to_create ? "create" : "patch") + ", lease " + node_lease_name(node_) + " in " + ns_ + ": ";
    message_ += answer.complete() ? "HTTP " + std::to_string(answer.status) + ": " + status_message(answer.body)
                                  : answer.failure;
    const bool refused = answer.status == 403 || answer.status == 404;
    not_before_ = now + (refused ? timings_.refused : timings_.renew / 3);
    if (refused) refused_until_ = not_before_;
}

}  // namespace umbra::kube
