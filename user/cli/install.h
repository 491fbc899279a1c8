// The manifests of deploy/kubernetes, which the program carries, made to one's wishes.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace umbra::cli {

// Written by scripts/embed_manifests; YAML documents.
struct Manifests {
    static const std::string_view kCrds, kBase, kPodMonitor;
};

struct InstallOptions {
    std::string ns = "umbra-system";
    std::string image;  // empty: umbra:VERSION
    bool privileged = false;
    bool pod_monitor = false;
};

// Without the CRDs. An Error for a namespace or image that cannot be used.
Result<std::string> agent_manifests(const InstallOptions& options);

}  // namespace umbra::cli
