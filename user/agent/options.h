// What `umbra run` can be told. A value; the command line fills it in.
#pragma once

#include <string>
#include <vector>

#include "loader/datapath.h"

namespace umbra::agent {

struct AgentOptions {
    std::vector<std::string> files;   // rules and registry; none: the agent starts without rules
    std::vector<std::string> ifaces;  // none: found by routes
    loader::AttachMode attach = loader::AttachMode::automatic;
    bool one_sided = false;
    unsigned workers = 1;
    std::vector<std::string> limits;  // NAME=VALUE, see terminator/limit_table.h, loader/kernel_limits.h
    std::vector<std::string> forced;  // NAME or NAME=N, see terminator/limit_table.h
    std::vector<std::string> trip;    // NAME=VALUE or off, see trip_settings.h
    std::string inject_loss;          // PERCENT[,SEED], see capture/loss_injector.h; empty: none
    std::string socket;
    std::string group = "umbra";    // a name or number: its members may read, and be terminator or controller
    std::string terminator_socket;  // the terminator connects there; empty: the loader forks it
    std::string controller_socket;  // a controller connects there; empty: none does
    bool kubernetes = false;        // the loader starts a controller of its own
    std::string kubeconfig;         // empty: $KUBECONFIG, the pod's own, ~/.kube/config
    std::string context;            // of the kubeconfig; empty: its current one
    std::string metrics;            // ADDR:PORT of an exporter that the loader starts; empty: none
    std::string netns;              // path of the network namespace to work in; empty: the caller's
    std::vector<std::string> allow_targets, only_targets;  // address blocks, see rules/target_guard.h
    std::string node;        // of Kubernetes; endpoints of other nodes are left to their agents; empty: none
    bool take_over = false;  // from the agent that serves `socket`
    std::string log_level = "info";
};

}  // namespace umbra::agent
