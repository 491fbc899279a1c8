#include "kube/status_writer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "kube/wall_time.h"

namespace umbra::kube {

namespace {

constexpr TimeNs kBetweenSums = 200 * kMillisecond;
constexpr std::size_t kWritesAtOnce = 4;
constexpr TimeNs kPatience = 8 * kSecond;  // less than the leader's deadline
constexpr const char* kMergePatch = "application/merge-patch+json";

}  // namespace

StatusWriter::StatusWriter(ApiClient& client, const std::string& node, const std::string& identity,
                           const std::string& ns, const Random& random)
    : client_(client),
      ns_(ns),
      election_(identity, ns, {}, random),
      keeper_(node, ns, {}),
      node_lease_(node_lease_name(node)) {}

template <class Machine>
void StatusWriter::advance(Machine& machine, const std::string& collection, const std::string& name, TimeNs now) {
    auto due = machine.due(now, wall_now());
    if (!due) return;
    ApiRequest request;
    request.method = due->method;
    request.path = due->method == "POST" ? collection : collection + "/" + percent_encoded(name);
    request.patience = kPatience;
    if (!due->lease.is_null()) request.body = control::encode(due->lease);
    request.content_type = due->method == "PATCH" ? kMergePatch : "application/json";
    request.fresh_connection = std::exchange(fresh_connection_, false);
    const std::string before = machine.message();
    client_.start(std::move(request), {nullptr, nullptr, [this, &machine, before](const ApiAnswer& answer) {
                                           fresh_connection_ = answer.silent;
                                           machine.answered(answer, monotonic_now());
                                           if (machine.message() != before && !machine.message().empty())
                                               spdlog::warn("{}", machine.message());
                                       }});
}

void StatusWriter::step(bool loader, TimeNs now) {
    const std::string leases = resource_path(kLeases, 0, ns_);
    if (loader) advance(keeper_, leases, node_lease_, now);
    advance(election_, leases, "umbra-leader", now);
    const bool leads = election_.leads(now);
    if (std::exchange(led_, leads) != leads) {
        spdlog::info(leads ? "this controller is the leader now" : "this controller leads no more");
        book_.touch();
    }
    if (leads && nodes_.complete()) write(now);
}

void StatusWriter::write(TimeNs now) {
    const bool wanted = book_.changed() || now >= stale_at_ || now >= book_.retry_at();
    if (!wanted || now < sum_at_ || under_way_ >= kWritesAtOnce) return;
    sum_at_ = now + kBetweenSums;
    stale_at_ = nodes_.stale_at(now);
    for (StatusWrite& due : book_.due(nodes_.fresh(now), kWritesAtOnce - under_way_, now, wall_now())) {
        ApiRequest request;
        request.method = "PATCH";
        request.path = std::move(due.path);
        request.body = std::move(due.patch);
        request.content_type = kMergePatch;
        request.patience = kPatience;
        ++under_way_;
        client_.start(std::move(request), {nullptr, nullptr, [this, object = due.object](const ApiAnswer& answer) {
                                               --under_way_;
                                               auto outcome = book_.written(object, answer, monotonic_now());
                                               std::string& message = write_messages_[object.kind];
                                               if (outcome.failed() && outcome.message != message)
                                                   spdlog::warn("{}", outcome.message);
                                               if (outcome.failed() || answer.status == 200)
                                                   message = std::move(outcome.message);
                                           }});
    }
}

TimeNs StatusWriter::wake_at(bool loader) const {
    TimeNs at = election_.wake_at();
    if (loader) at = std::min(at, keeper_.wake_at());
    if (!led_ || !nodes_.complete() || under_way_ >= kWritesAtOnce) return at;
    const TimeNs sum = book_.changed() ? 0 : std::min(stale_at_, book_.retry_at());
    return std::min(at, std::max(sum, sum_at_));
}

void StatusWriter::release(TimeNs now) {
    election_.release();
    step(false, now);
}

std::string StatusWriter::message() const {
    std::string all;
    const auto add = [&](const std::string& one) {
        if (!one.empty()) all += (all.empty() ? "" : "; ") + one;
    };
    add(keeper_.message());
    add(election_.message());
    for (const auto& [kind, message] : write_messages_) add(message);
    return all;
}

}  // namespace umbra::kube
