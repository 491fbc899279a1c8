#include "kube/cluster_config.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "kube/limits.h"

namespace umbra::kube {

namespace {

constexpr const char* kSpace = " \t\r\n";

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(kSpace);
    if (first == std::string::npos) return {};
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool exists(const std::string& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

Result<ClusterConfig> in_cluster(const std::string& account, const std::string& host, const std::string& port) {
    ClusterConfig config;
    config.source = "pod";
    config.server = "https://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
    config.token_file = account + "/token";
    config.ca_file = account + "/ca.crt";
    if (!exists(config.token_file)) {
        return Error{ErrorCode::failure, "find, Kubernetes API: the pod has no token, " + config.token_file,
                     "let the pod mount its service account's token (automountServiceAccountToken)"};
    }
    if (!exists(config.ca_file)) {
        return Error{ErrorCode::failure,
                     "find, Kubernetes API: the pod has no certificate authority, " + config.ca_file,
                     "let the pod mount its service account's token (automountServiceAccountToken)"};
    }
    if (auto ns = read_small_file(account + "/namespace", "namespace of the pod")) config.ns = trimmed(*ns);
    return config;
}

}  // namespace

std::string process_environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

Result<std::string> read_small_file(const std::string& path, const char* what) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return Error{ErrorCode::failure, "read, " + std::string(what) + ", " + path + ": " + std::strerror(errno)};
    std::string text(kMaxSmallFile + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (file.bad() || text.size() > kMaxSmallFile) {
        return Error{ErrorCode::failure, "read, " + std::string(what) + ", " + path + ": unreadable or above 1 MiB"};
    }
    return text;
}

Result<std::string> current_token(const ClusterConfig& config) {
    if (config.token_file.empty()) return config.token;
    auto text = read_small_file(config.token_file, "token");
    if (!text) return text.error();
    std::string token = trimmed(*text);
    if (token.empty()) return Error{ErrorCode::failure, "read, token, " + config.token_file + ": it is empty"};
    for (const char c : token) {
        if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f)
            return Error{ErrorCode::failure, "read, token, " + config.token_file + ": it is no token"};
    }
    return token;
}

Result<ClusterConfig> find_cluster(const ConfigOptions& options, const Environment& environment) {
    if (!options.kubeconfig.empty()) return read_kubeconfig(options.kubeconfig, options.context);
    if (const auto path = environment("KUBECONFIG"); !path.empty()) return read_kubeconfig(path, options.context);
    const auto host = environment("KUBERNETES_SERVICE_HOST");
    const auto port = environment("KUBERNETES_SERVICE_PORT");
    if (!host.empty() && !port.empty()) return in_cluster(options.account, host, port);
    const auto home = environment("HOME");
    const std::string own = home + "/.kube/config";
    if (!home.empty() && exists(own)) return read_kubeconfig(own, options.context);
    return Error{ErrorCode::usage, "find, Kubernetes API: not in a pod, and there is no kubeconfig",
                 "name one with --kubeconfig or KUBECONFIG"};
}

}  // namespace umbra::kube
