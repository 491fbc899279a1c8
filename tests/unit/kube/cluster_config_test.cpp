#include "kube/cluster_config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace umbra::kube {
namespace {

class Folder {
public:
    Folder() {
        char name[] = "/tmp/umbra-kube-XXXXXX";
        path_ = ::mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    std::string write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::ofstream(path(name)) << text;
        return path(name);
    }
    std::string path(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

Environment environment(std::map<std::string, std::string> values) {
    return [values](const char* name) {
        const auto found = values.find(name);
        return found == values.end() ? std::string() : found->second;
    };
}

std::string kubeconfig(const std::string& cluster, const std::string& user) {
    return "apiVersion: v1\nkind: Config\ncurrent-context: one\n"
           "contexts:\n- name: one\n  context: {cluster: c, user: u, namespace: team}\n"
           "- name: two\n  context: {cluster: d}\n"
           "clusters:\n- name: c\n  cluster: {" +
           cluster +
           "}\n- name: d\n  cluster: {server: 'http://10.0.0.2:8080/'}\n"
           "users:\n- name: u\n  user: {" +
           user + "}\n";
}

TEST(ClusterConfig, APodIsGivenEverything) {
    const Folder folder;
    folder.write("account/token", "secret\n");
    folder.write("account/ca.crt", "CA");
    folder.write("account/namespace", "umbra\n");
    ConfigOptions options;
    options.account = folder.path("account");
    const auto config = find_cluster(
        options, environment({{"KUBERNETES_SERVICE_HOST", "fd00::1"}, {"KUBERNETES_SERVICE_PORT", "443"}}));
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->server, "https://[fd00::1]:443");
    EXPECT_EQ(config->ns, "umbra");
    EXPECT_EQ(config->ca_file, folder.path("account/ca.crt"));
    EXPECT_EQ(*current_token(*config), "secret");
    folder.write("account/token", "renewed");
    EXPECT_EQ(*current_token(*config), "renewed") << "the file is read every time";
}

TEST(ClusterConfig, APodWithoutATokenIsAnError) {
    const Folder folder;
    ConfigOptions options;
    options.account = folder.path("none");
    const auto config = find_cluster(
        options, environment({{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}, {"KUBERNETES_SERVICE_PORT", "443"}}));
    ASSERT_FALSE(config);
    EXPECT_NE(config.error().message.find("no token"), std::string::npos);
    EXPECT_NE(config.error().hint.find("automountServiceAccountToken"), std::string::npos);
}

TEST(ClusterConfig, ThePlacesAreLookedAtInOrder) {
    const Folder folder;
    const auto named = folder.write("named", kubeconfig("server: 'https://named:1'", "token: t"));
    const auto environ = folder.write("environ", kubeconfig("server: 'https://environ:1'", "token: t"));
    folder.write("home/.kube/config", kubeconfig("server: 'https://home:1'", "token: t"));
    std::map<std::string, std::string> values{{"KUBECONFIG", environ}, {"HOME", folder.path("home")}};
    EXPECT_EQ(find_cluster({named, {}}, environment(values))->server, "https://named:1");
    EXPECT_EQ(find_cluster({}, environment(values))->server, "https://environ:1");
    values.erase("KUBECONFIG");
    EXPECT_EQ(find_cluster({}, environment(values))->server, "https://home:1");
    values.erase("HOME");
    const auto none = find_cluster({}, environment(values));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, ErrorCode::usage);
    EXPECT_EQ(find_cluster({folder.path("absent"), {}}, environment({})).error().code, ErrorCode::usage);
}

TEST(Kubeconfig, ReadsDataFilesAndNames) {
    const Folder folder;
    folder.write("ca.pem", "CA FILE");
    folder.write("cert.pem", "CERT");
    folder.write("key.pem", "KEY");
    folder.write("token", " from-a-file\n");
    auto path = folder.write("a", kubeconfig("server: 'https://api:6443/', certificate-authority-data: Q0EgREFUQQ==, "
                                             "tls-server-name: kubernetes",
                                             "client-certificate: cert.pem, client-key: key.pem, tokenFile: token"));
    auto config = read_kubeconfig(path, "");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->server, "https://api:6443");
    EXPECT_EQ(config->ca_pem, "CA DATA");
    EXPECT_EQ(config->tls_server_name, "kubernetes");
    EXPECT_EQ(config->certificate_pem, "CERT");
    EXPECT_EQ(config->key_pem, "KEY");
    EXPECT_EQ(config->ns, "team");
    EXPECT_EQ(*current_token(*config), "from-a-file");
    path = folder.write("b", kubeconfig("server: 'https://api:6443', certificate-authority: ca.pem, "
                                        "insecure-skip-tls-verify: true",
                                        "token: 12345"));
    config = read_kubeconfig(path, "one");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->ca_file, folder.path("ca.pem"));
    EXPECT_TRUE(config->insecure);
    EXPECT_EQ(*current_token(*config), "12345");
    config = read_kubeconfig(path, "two");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->server, "http://10.0.0.2:8080");
    EXPECT_EQ(*current_token(*config), "");
}

TEST(Kubeconfig, WhatItCannotUseIsRefusedWithoutTellingSecrets) {
    const Folder folder;
    const std::string server = "server: 'https://api:6443'";
    const std::pair<std::string, std::string> rows[] = {
        {kubeconfig(server, "exec: {command: aws, env: [SECRET]}"), "'exec' is not supported"},
        {kubeconfig(server, "auth-provider: {name: SECRET}"), "'auth-provider' is not supported"},
        {kubeconfig(server, "username: SECRET, password: SECRET"), "'username' is not supported"},
        {kubeconfig(server, "client-key-data: 'SECRET!'"), "client-key-data is not base64"},
        {kubeconfig(server, "client-certificate-data: Q0E="), "one is missing"},
        {kubeconfig(server, "client-certificate: absent.pem"), "absent.pem"},
        {kubeconfig("server: 'ftp://api'", ""), "no http:// or https://"},
        {kubeconfig("server: 'https://user:SECRET@api'", ""), "must not hold a user's name"},
        {kubeconfig(server + ", proxy-url: 'http://SECRET@p'", ""), "proxy-url is not supported"},
        {"token: SECRET: [", "not one YAML document"},
        {"", "not one YAML document"},
        {"contexts: []", "no current-context"},
        {"current-context: x", "no entry 'x' in contexts"},
    };
    for (const auto& [text, cause] : rows) {
        const auto config = read_kubeconfig(folder.write("k", text), "");
        ASSERT_FALSE(config) << text;
        const std::string said = config.error().message + config.error().hint;
        EXPECT_NE(said.find(cause), std::string::npos) << said;
        EXPECT_EQ(said.find("SECRET"), std::string::npos) << said;
    }
}

TEST(Kubeconfig, AnUnknownContextIsNamed) {
    const Folder folder;
    const auto path = folder.write("k", kubeconfig("server: 'https://api:6443'", "token: t"));
    const auto config = read_kubeconfig(path, "three");
    ASSERT_FALSE(config);
    EXPECT_NE(config.error().message.find("no entry 'three' in contexts"), std::string::npos);
}

TEST(Token, EmptyUnreadableAndMalformedFilesAreErrorsWithoutTheirContent) {
    const Folder folder;
    ClusterConfig config;
    config.token_file = folder.path("absent");
    EXPECT_FALSE(current_token(config));
    for (const std::string text : {"", " \n", "SECRET\r\nHost: evil"}) {
        config.token_file = folder.write("token", text);
        const auto token = current_token(config);
        ASSERT_FALSE(token) << text;
        EXPECT_EQ(token.error().message.find("SECRET"), std::string::npos);
    }
    config.token_file = folder.write("token", std::string((1u << 20) + 1, 'a'));
    EXPECT_FALSE(current_token(config));
}

}  // namespace
}  // namespace umbra::kube
