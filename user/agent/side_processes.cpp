#include "agent/side_processes.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "control/peer.h"
#include "kube/controller.h"
#include "metrics/exporter.h"

namespace umbra::agent {

Result<ChildProcess> start_controller(const AgentOptions& options, UniqueFd& connection) {
    int feed[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, feed) != 0)
        return Error{ErrorCode::failure, std::string("make, feed: ") + std::strerror(errno)};
    connection.reset(feed[0]);
    const UniqueFd child_end(feed[1]);
    kube::ControllerOptions controller;
    controller.socket_fd = child_end.get();
    controller.config.kubeconfig = options.kubeconfig;
    controller.config.context = options.context;
    controller.node = options.node;
    controller.log_level = options.log_level;
    return ChildProcess::start({"umbra-kube", terminator_identity(), {child_end.get()}, [&controller] {
                                    if (auto confined = kube::confine_controller(); !confined) return confined;
                                    return kube::run_controller(controller);
                                }});
}

Result<ChildProcess> start_exporter(const AgentOptions& options) {
    const auto group = control::find_group(options.group);
    if (!group) {
        return Error{ErrorCode::failure, "start, exporter: there is no group '" + options.group + "'",
                     "groupadd --system umbra, or choose a group with --group"};
    }
    Identity identity = terminator_identity();
    identity.gid = *group;
    const metrics::ExporterOptions exporter{options.metrics, options.socket};
    return ChildProcess::start(
        {"umbra-metrics", identity, {}, [&exporter] { return metrics::run_exporter(exporter); }});
}

}  // namespace umbra::agent
