// ClusterConfig: where the API is and how to speak to it: from a kubeconfig or from what a pod is given. Secrets are
// in the values alone, never in an Error.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace umbra::kube {

struct ClusterConfig {
    std::string server;           // https://HOST:PORT[/PATH], or http:// where the kubeconfig says so
    std::string ca_file, ca_pem;  // one of them or none: the system's
    bool insecure = false;        // the server's certificate is not checked
    std::string tls_server_name;  // the name to check it against, if not the host
    std::string token_file;       // read for every request
    std::string token;
    std::string certificate_pem, key_pem;
    std::string ns;      // of the service account or the context; may be empty
    std::string source;  // "pod" or the kubeconfig's path: for messages
};

struct ConfigOptions {
    std::string kubeconfig;  // empty: $KUBECONFIG, then the pod, then ~/.kube/config
    std::string context;     // empty: the current one
    std::string account = "/var/run/secrets/kubernetes.io/serviceaccount";
};

using Environment = std::function<std::string(const char*)>;  // empty when not set
std::string process_environment(const char* name);

Result<ClusterConfig> find_cluster(const ConfigOptions& options, const Environment& environment);

// The text of a kubeconfig; folder: where relative paths in it begin.
Result<ClusterConfig> read_kubeconfig(const std::string& path, const std::string& context);

// The token to send now: of the file, when there is one, without white space at its ends. Empty: none.
Result<std::string> current_token(const ClusterConfig& config);

// At most 1 MiB.
Result<std::string> read_small_file(const std::string& path, const char* what);

}  // namespace umbra::kube
