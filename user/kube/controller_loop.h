// ControllerLoop: the parts of the controller put together.
#pragma once

#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "kube/api_client.h"
#include "kube/controller.h"
#include "kube/feed_link.h"
#include "kube/feed_session.h"
#include "kube/status_writer.h"
#include "kube/watch_set.h"

namespace umbra::kube {

class ControllerLoop : public WatchReceiver {
public:
    static Result<std::unique_ptr<ControllerLoop>> make(const ControllerOptions& options);
    ~ControllerLoop() override = default;

    // Until the descriptor of signals has one, or there will be no loader any more.
    Result<void> run(int signals);

private:
    ControllerLoop(const ControllerOptions& options, ClusterConfig config, std::string ns,
                   std::unique_ptr<ApiClient> client);

    void list_begins(const WatchSource& source) override;
    void put(const WatchSource& source, const Json& object) override;
    void removed(const WatchSource& source, const Json& object) override;
    void list_ends(const WatchSource& source) override;
    void dropped(const WatchSource& source) override;

    bool step(int signals);  // false: a signal came
    void read_loader(TimeNs now);
    void write_loader(TimeNs now);
    void ask_version(TimeNs now);
    std::set<Scope> scopes(TimeNs now) const;
    void give_up_lead();
    TimeNs wake_at() const;
    Json health() const;

    std::string server_, node_, ns_;
    double start_;  // wall time of monotonic time 0
    std::unique_ptr<ApiClient> client_;
    Random random_;
    Picture picture_;
    StatusWriter status_;
    WatchSet watches_;
    FeedLink link_;
    FeedSession session_;
    Demand demand_;
    std::uint64_t connects_seen_ = 0;
    std::string version_;
    Backoff version_backoff_{kSecond, 60 * kSecond};
    TimeNs version_at_ = 0;
};

}  // namespace umbra::kube
