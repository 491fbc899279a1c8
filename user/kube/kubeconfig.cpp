// Reading a kubeconfig: the context, its cluster and its user. Programs that make credentials are not run.
#include <openssl/evp.h>

#include <filesystem>
#include <vector>

#include "kube/cluster_config.h"
#include "rules/yaml_reader.h"

namespace umbra::kube {

namespace {

using rules::Node;

class Kubeconfig {
public:
    Kubeconfig(std::string path, const Node& root) : path_(std::move(path)), root_(root) {}

    Result<ClusterConfig> read(std::string context);

private:
    Error wrong(const std::string& what, std::string hint = {}) const {
        return {ErrorCode::usage, "read, kubeconfig, " + path_ + ": " + what, std::move(hint)};
    }
    static std::string text(const Node& node, const char* key) {
        const Node* value = node.value(key);
        return value && value->is_scalar() ? value->text : std::string();
    }
    static bool truth(const Node& node, const char* key) {
        const Node* value = node.value(key);
        return value && value->kind == Node::Kind::boolean && value->truth();
    }
    // The entry `name` of a list of {name, FIELD}.
    Result<const Node*> entry(const char* list, const char* field, const std::string& name) const;
    std::string absolute(const std::string& file) const;
    // A file's text, or the decoded data, of KEY or KEY-data.
    Result<std::string> material(const Node& node, const std::string& key) const;
    Result<void> read_cluster(const Node& cluster, ClusterConfig& config) const;
    Result<void> read_user(const Node& user, ClusterConfig& config) const;

    std::string path_;
    const Node& root_;
};

std::optional<std::string> decode_base64(std::string text) {
    std::erase_if(text, [](unsigned char c) { return c == '\n' || c == '\r' || c == ' '; });
    if (text.size() % 4 != 0) return std::nullopt;
    std::vector<unsigned char> bytes(text.size() / 4 * 3 + 1);
    const int got = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()));
    if (got < 0) return std::nullopt;
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    return std::string(bytes.begin(), bytes.begin() + got - static_cast<std::ptrdiff_t>(padding));
}

Result<const Node*> Kubeconfig::entry(const char* list, const char* field, const std::string& name) const {
    const Node* entries = root_.value(list);
    if (entries && entries->kind == Node::Kind::list) {
        for (const Node& item : entries->items) {
            if (text(item, "name") != name) continue;
            const Node* found = item.value(field);
            if (found && found->kind == Node::Kind::map) return found;
        }
    }
    return wrong("no entry '" + name + "' in " + list);
}

std::string Kubeconfig::absolute(const std::string& file) const {
    return (std::filesystem::path(path_).parent_path() / file).string();
}

Result<std::string> Kubeconfig::material(const Node& node, const std::string& key) const {
    const std::string data = text(node, (key + "-data").c_str());
    if (!data.empty()) {
        auto decoded = decode_base64(data);
        if (!decoded) return wrong(key + "-data is not base64");
        return std::move(*decoded);
    }
    const std::string file = text(node, key.c_str());
    return file.empty() ? Result<std::string>(std::string()) : read_small_file(absolute(file), key.c_str());
}

Result<void> Kubeconfig::read_cluster(const Node& cluster, ClusterConfig& config) const {
    config.server = text(cluster, "server");
    while (config.server.ends_with('/')) config.server.pop_back();
    if (!config.server.starts_with("https://") && !config.server.starts_with("http://"))
        return wrong("the cluster's server is no http:// or https:// address");
    if (config.server.find('@') != std::string::npos) return wrong("the cluster's server must not hold a user's name");
    if (cluster.value("proxy-url")) return wrong("the cluster's proxy-url is not supported", "set HTTPS_PROXY");
    config.insecure = truth(cluster, "insecure-skip-tls-verify");
    config.tls_server_name = text(cluster, "tls-server-name");
    if (text(cluster, "certificate-authority-data").empty() && !text(cluster, "certificate-authority").empty()) {
        config.ca_file = absolute(text(cluster, "certificate-authority"));
        return {};
    }
    auto ca = material(cluster, "certificate-authority");
    if (!ca) return ca.error();
    config.ca_pem = std::move(*ca);
    return {};
}

Result<void> Kubeconfig::read_user(const Node& user, ClusterConfig& config) const {
    for (const char* refused : {"exec", "auth-provider", "username"}) {
        if (!user.value(refused)) continue;
        return wrong("the user's '" + std::string(refused) + "' is not supported",
                     "use a token, a tokenFile or a client certificate, such as a service account's");
    }
    config.token = text(user, "token");
    if (const auto file = text(user, "tokenFile"); !file.empty()) config.token_file = absolute(file);
    auto certificate = material(user, "client-certificate");
    if (!certificate) return certificate.error();
    auto key = material(user, "client-key");
    if (!key) return key.error();
    if (certificate->empty() != key->empty()) return wrong("of client-certificate and client-key one is missing");
    config.certificate_pem = std::move(*certificate);
    config.key_pem = std::move(*key);
    return {};
}

Result<ClusterConfig> Kubeconfig::read(std::string context) {
    if (context.empty()) context = text(root_, "current-context");
    if (context.empty()) return wrong("it has no current-context", "name one with --context");
    const auto chosen = entry("contexts", "context", context);
    if (!chosen) return chosen.error();
    const auto cluster = entry("clusters", "cluster", text(**chosen, "cluster"));
    if (!cluster) return cluster.error();
    ClusterConfig config;
    config.source = path_;
    config.ns = text(**chosen, "namespace");
    if (auto read = read_cluster(**cluster, config); !read) return read.error();
    const std::string name = text(**chosen, "user");
    if (name.empty()) return config;
    const auto user = entry("users", "user", name);
    if (!user) return user.error();
    if (auto read = read_user(**user, config); !read) return read.error();
    return config;
}

}  // namespace

Result<ClusterConfig> read_kubeconfig(const std::string& path, const std::string& context) {
    auto text = read_small_file(path, "kubeconfig");
    if (!text) return Error{ErrorCode::usage, text.error().message, "--kubeconfig or KUBECONFIG names the file"};
    rules::Diagnostics findings;
    const auto documents = rules::read_yaml({path, std::move(*text)}, findings);
    // What was found is not shown: it may quote a secret.
    if (findings.has_errors() || documents.size() != 1 || documents[0].root.kind != Node::Kind::map)
        return Error{ErrorCode::usage, "read, kubeconfig, " + path + ": it is not one YAML document"};
    return Kubeconfig(path, documents[0].root).read(context);
}

}  // namespace umbra::kube
