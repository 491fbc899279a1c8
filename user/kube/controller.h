// The controller process: between the Kubernetes API and the loader. One thread, one loop; it reads what comes from the
// network so that the loader need not.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "kube/cluster_config.h"
#include "kube/picture.h"
#include "kube/watch_set.h"

namespace umbra::kube {

inline constexpr const char* kDefaultControllerSocket = "/run/umbra/controller/controller.sock";

struct ControllerOptions {
    std::string socket = kDefaultControllerSocket;  // of the loader
    int socket_fd = -1;                             // a connection to the loader that is there already; taken over
    ConfigOptions config;
    std::string node;  // empty: $NODE_NAME, then the host's name
    std::string ns;    // of the leases; empty: $POD_NAMESPACE, then the service account's, then umbra-system
    WatchOptions watches;
    PictureLimits limits;
    std::string log_level = "info";
};

// Gives up what the process must not have: new privileges, core files, readable memory.
Result<void> confine_controller();

// Returns after SIGTERM or SIGINT, or when a handed connection to the loader ends.
Result<void> run_controller(const ControllerOptions& options);

}  // namespace umbra::kube
