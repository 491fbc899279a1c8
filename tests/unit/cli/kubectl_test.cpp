// kubectl umbra against a script in kubectl's place: what it is asked, what is made of its answers.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "cli/cli.h"
#include "cli/process.h"
#include "control/message.h"

namespace umbra::cli {
namespace {

constexpr const char* kPods = R"({"items":[
 {"metadata":{"name":"umbra-b"},"spec":{"nodeName":"node-b"},
  "status":{"phase":"Running","containerStatuses":[{"name":"loader","state":{"running":{}}}]}},
 {"metadata":{"name":"umbra-a"},"spec":{"nodeName":"node-a"},
  "status":{"phase":"Running","containerStatuses":[{"name":"loader","state":{"running":{}}}]}}]})";
constexpr const char* kServices = R"({"kind":"List","apiVersion":"v1","items":[
 {"apiVersion":"v1","kind":"Service","metadata":{"name":"httpbin","namespace":"shop"},
  "spec":{"clusterIP":"10.96.0.9","selector":{"app":"httpbin"},"ports":[{"port":80,"targetPort":8080}]}}]})";
constexpr const char* kRule = R"(apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: mirror-it}
spec: {destination: {name: httpbin}, mirror: {name: httpbin, labels: {version: v2}}}
)";
constexpr const char* kEmpty = R"({"kind":"List","apiVersion":"v1","items":[]})";

class KubectlTest : public testing::Test {
protected:
    KubectlTest() {
        char name[] = "/tmp/umbra-kubectl-XXXXXX";
        directory_ = ::mkdtemp(name);
        ::setenv("UMBRA_KUBECTL", (directory_ + "/kubectl").c_str(), 1);
        answer("get pods*", kPods);
    }
    ~KubectlTest() override {
        ::unsetenv("UMBRA_KUBECTL");
        std::filesystem::remove_all(directory_);
    }

    std::string write(const std::string& name, const std::string& text) {
        std::ofstream(directory_ + "/" + name) << text;
        return directory_ + "/" + name;
    }
    // What the script says when its arguments match the pattern; the last answer given for one wins.
    void answer(const std::string& pattern, const std::string& text, int code = 0, const std::string& error = "") {
        const std::string file = write("answer" + std::to_string(answers_++), text);
        branches_ = "\"" + quoted(pattern) + ") cat " + file + "; echo '" + error + "' >&2; exit " +
                    std::to_string(code) + ";;\n" + branches_;
        std::ofstream script(directory_ + "/kubectl");
        script << "#!/bin/sh\necho \"$*\" >> " << directory_ << "/asked\n"
               << "case \"$*\" in *'-f -'*) cat > " << directory_ << "/input;; esac\ncase \"$*\" in\n"
               << branches_ << "*) echo \"no answer to $*\" >&2; exit 9;;\nesac\n";
        script.close();
        ::chmod((directory_ + "/kubectl").c_str(), 0755);
    }
    // Words in quotes, stars outside of them.
    static std::string quoted(const std::string& pattern) {
        std::string out;
        for (const char c : pattern) out += c == '*' ? std::string("\"*\"") : std::string(1, c);
        return out + "\"";
    }
    void cluster_has_httpbin() {
        answer("get services,*", kServices);
        answer("get serviceentries*", "", 1, "error: the server doesn'\\''t have a resource type \"serviceentries\"");
        answer("get routerules*", kEmpty);
        answer("get mirrorpolicies*", kEmpty);
        answer("config view*", "");
    }
    int run(std::vector<std::string> arguments, const char* program = "/usr/bin/kubectl-umbra") {
        std::vector<const char*> argv{program};
        for (const auto& argument : arguments) argv.push_back(argument.c_str());
        std::ostringstream out, err;
        const int code = run_cli(static_cast<int>(argv.size()), argv.data(), out, err);
        out_ = out.str();
        err_ = err.str();
        return code;
    }
    std::string content(const std::string& name) const {
        std::ifstream file(directory_ + "/" + name);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    bool asked(const std::string& text) const { return content("asked").find(text) != std::string::npos; }
    bool told(const std::string& text) const { return out_.find(text) != std::string::npos; }
    bool warned(const std::string& text) const { return err_.find(text) != std::string::npos; }

    std::string directory_, branches_, out_, err_;
    int answers_ = 0;
};

constexpr const char* kStatus = R"({"version":"1.0","abi":7,"kernel":"6.1","hook":"tcx","terminator":"running",
 "attach_points":[{}],"rules":[{"rule":"shop/r","origins":2,"mirror_endpoints":1,"status":"active"},
 {"rule":"other/q","origins":0,"mirror_endpoints":0,"status":"no endpoints"}]})";

TEST_F(KubectlTest, StatusIsOneTableOfAllNodesSortedByNode) {
    answer("exec*umbra-a*", kStatus);
    answer("exec*umbra-b*", kStatus);
    EXPECT_EQ(run({"status"}), 0) << err_;
    EXPECT_EQ(out_,
              "NODE    VERSION  HOOK  DEVICES  RULES  STATUS\n"
              "node-a  1.0      tcx         1      2  ok\n"
              "node-b  1.0      tcx         1      2  ok\n"
              "\n"
              "NODE    RULE     ORIGINS  MIRRORS  STATUS\n"
              "node-a  shop/r         2        1  active\n"
              "node-a  other/q        0        0  no endpoints\n"
              "node-b  shop/r         2        1  active\n"
              "node-b  other/q        0        0  no endpoints\n");
    EXPECT_TRUE(
        asked("exec -n umbra-system -c loader umbra-a -- /usr/bin/umbra status "
              "--socket=/run/umbra/control/umbra.sock --output=json"));
}

TEST_F(KubectlTest, OptionsMayStandBeforeAndBehindTheVerb) {
    answer("exec*", kStatus);
    answer("*get pods*", kPods);
    answer("--context=c*exec*", kStatus);
    EXPECT_EQ(run({"--context", "c", "status", "--kubeconfig", "k", "-n", "shop", "--agent-namespace", "mine", "--node",
                   "node-a"}),
              0)
        << err_;
    EXPECT_TRUE(
        asked("--context=c --kubeconfig=k get pods -n mine -l app.kubernetes.io/name=umbra -o json "
              "--field-selector=spec.nodeName=node-a"));
    EXPECT_TRUE(told("shop/r"));
    EXPECT_FALSE(told("other/q"));
    EXPECT_EQ(run({"kubectl", "status"}, "umbra"), 0) << err_;
}

TEST_F(KubectlTest, AnAgentThatFailsIsARowAndTheExitCodeIsOne) {
    answer("exec*umbra-a*", kStatus);
    answer("exec*umbra-b*", "", 1, "error: unable to upgrade connection: pod is away");
    EXPECT_EQ(run({"status"}), 1);
    EXPECT_TRUE(told("node-a  1.0")) << out_;
    EXPECT_TRUE(told("error: unable to upgrade connection: pod is away")) << out_;
    EXPECT_EQ(run({"status", "-o", "json"}), 1);
    const auto rows = control::Json::parse(out_, nullptr, false);
    ASSERT_EQ(rows.size(), 2u) << out_;
    EXPECT_EQ(rows[0]["answer"]["version"], "1.0");
    EXPECT_EQ(rows[1]["error"], "error: unable to upgrade connection: pod is away");
    EXPECT_EQ(run({"get", "rules"}), 1);
    EXPECT_EQ(run({"ledger"}), 1);
    EXPECT_EQ(run({"version"}), 1);
}

TEST_F(KubectlTest, AnAgentThatIsSilentIsGivenUp) {
    answer("exec*", kStatus);
    std::ofstream(directory_ + "/kubectl")
        << "#!/bin/sh\ncase \"$*\" in get*) cat " << directory_ << "/answer0;; *) exec sleep 60;; esac\n";
    EXPECT_EQ(run({"status", "--timeout", "1"}), 1);
    EXPECT_TRUE(told("not finished within 1 s")) << out_;
}

TEST_F(KubectlTest, ALoaderThatDoesNotRunIsNotAsked) {
    answer("get pods*", R"({"items":[{"metadata":{"name":"p"},"spec":{"nodeName":"n"},"status":{"phase":"Running",
        "containerStatuses":[{"name":"loader","state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}}]})");
    EXPECT_EQ(run({"status"}), 1);
    EXPECT_TRUE(told("the loader does not run: CrashLoopBackOff")) << out_;
    EXPECT_FALSE(asked("exec"));
}

TEST_F(KubectlTest, LedgersCloseOrNot) {
    const std::string row = R"({"rules":[{"rule":"shop/r","seen":{"requests":1500},"mirrored":{"requests":1400},
        "dropped":{"overload":{"requests":60},"gap":{"requests":39}},"in_flight":{"requests":1}}],"closes":)";
    answer("exec*umbra-a*", row + "true}");
    answer("exec*umbra-b*", row + "true}");
    EXPECT_EQ(run({"ledger"}), 0) << err_;
    EXPECT_TRUE(told("node-a  shop/r  1,500     1,400       99          1  closes")) << out_;
    answer("exec*umbra-b*", row + "false}", 1);
    EXPECT_EQ(run({"ledger"}), 1);
    EXPECT_TRUE(told("DOES NOT CLOSE")) << out_;
}

TEST_F(KubectlTest, ListsHaveANodeColumn) {
    answer("exec*get rules*",
           R"([{"rule":"shop/r","precedence":3,"origins":2,"mirror_endpoints":1,"status":"active"}])");
    answer("exec*get policies*", R"([])");
    answer("exec*get endpoints*", R"([{"endpoint":"10.0.0.1:80","role":"origin","service":"s","service_port":80,
        "rules":["shop/r"]}])");
    EXPECT_EQ(run({"get", "rules", "shop/r"}), 0) << err_;
    EXPECT_TRUE(told("node-b  shop/r           3        2        1  active")) << out_;
    EXPECT_TRUE(asked("umbra get rules shop/r --socket"));
    EXPECT_EQ(run({"get", "policies"}), 0);
    EXPECT_EQ(out_, "no policies\n");
    EXPECT_EQ(run({"get", "endpoints"}), 0);
    EXPECT_TRUE(told("node-a  10.0.0.1:80  origin  s          80  shop/r")) << out_;
    EXPECT_EQ(run({"get", "secrets"}), 2);
}

TEST_F(KubectlTest, NoAgentsAndNoKubectlAreErrorsWithANextStep) {
    answer("get pods*", R"({"items":[]})");
    EXPECT_EQ(run({"status"}), 1);
    EXPECT_TRUE(warned("hint: kubectl umbra install")) << err_;
    answer("get pods*", "not json");
    EXPECT_EQ(run({"status"}), 1);
    EXPECT_TRUE(warned("its answer is no list")) << err_;
    answer("get pods*", "", 1, "Error from server (Forbidden): pods is forbidden");
    EXPECT_EQ(run({"status"}), 1);
    EXPECT_TRUE(warned("kubectl get: Error from server (Forbidden): pods is forbidden")) << err_;
    ::setenv("UMBRA_KUBECTL", "/nowhere/kubectl", 1);
    EXPECT_EQ(run({"status"}), 1);
    EXPECT_TRUE(warned("hint: install it")) << err_;
}

TEST_F(KubectlTest, VersionsOfProgramAndAgents) {
    EXPECT_EQ(run({"version", "--client"}), 0);
    EXPECT_TRUE(told("kubectl umbra " UMBRA_VERSION));
    EXPECT_FALSE(asked("get"));
    answer("exec*", kStatus);
    EXPECT_EQ(run({"version"}), 0);
    EXPECT_TRUE(told("node-a  1.0                    7  6.1")) << out_;
}

TEST_F(KubectlTest, ApplyIsCheckedAgainstTheCluster) {
    cluster_has_httpbin();
    answer("apply*", "routerule created\n");
    const std::string file = write("rule.yaml", kRule);
    EXPECT_EQ(run({"apply", "-n", "shop", "-f", file}), 0) << err_;
    EXPECT_EQ(out_, "routerule created\n");
    EXPECT_TRUE(asked("apply -n shop -f -"));
    EXPECT_EQ(content("input"), kRule);
    EXPECT_EQ(run({"apply", "-f", write("bad.yaml", "kind: RouteRule\n")}), 3);
    EXPECT_EQ(run({"apply", "-f", directory_ + "/none.yaml"}), 3);
    EXPECT_TRUE(warned("the files cannot be read")) << err_;
    answer("apply*", "", 1, "error: denied");
    EXPECT_EQ(run({"apply", "-n", "shop", "-f", file}), 1);
    EXPECT_TRUE(warned("kubectl apply: error: denied")) << err_;
}

TEST_F(KubectlTest, CheckAndExplainUseTheClustersServicesAndNamespace) {
    cluster_has_httpbin();
    answer("config view*", "shop");
    const std::string file = write("rule.yaml", kRule);
    EXPECT_EQ(run({"check", "-f", file}), 0) << err_;
    EXPECT_TRUE(told("shop/mirror-it: ")) << out_;
    EXPECT_TRUE(asked("get services,pods,endpointslices.discovery.k8s.io -o json --all-namespaces"));
    EXPECT_EQ(run({"explain", "-n", "shop", "-f", file}), 0) << err_;
    EXPECT_TRUE(told("shop/mirror-it")) << out_;
    EXPECT_TRUE(asked("get mirrorpolicies.umbra.dev -o json -n shop"));
    EXPECT_FALSE(asked("apply"));
}

TEST_F(KubectlTest, RulesOfTheClusterTakePartUnlessTheyAreInvalid) {
    cluster_has_httpbin();
    answer("get routerules*", R"({"kind":"List","apiVersion":"v1","items":[{"apiVersion":"config.istio.io/v1alpha2",
        "kind":"RouteRule","metadata":{"name":"old","namespace":"shop"},"spec":{"destination":{"name":"httpbin"}}}]})");
    EXPECT_EQ(run({"check"}), 0) << err_;
    EXPECT_TRUE(told("shop/old")) << out_;
    answer("get routerules*", R"({"kind":"List","apiVersion":"v1","items":[{"apiVersion":"config.istio.io/v1alpha2",
        "kind":"RouteRule","metadata":{"name":"old","namespace":"shop"},"spec":{}}]})");
    EXPECT_EQ(run({"check", "-f", write("rule.yaml", kRule)}), 0) << err_;
    EXPECT_TRUE(warned("they are left out here")) << err_;
    answer("get services,*", "", 1, "Error from server (Forbidden): services is forbidden");
    EXPECT_EQ(run({"check"}), 1);
    EXPECT_TRUE(warned("hint: with -n NAMESPACE only that namespace is read")) << err_;
}

TEST_F(KubectlTest, DeleteByFileAndByName) {
    answer("delete*", "deleted\n");
    answer("config view*", "");
    EXPECT_EQ(run({"delete", "rule", "shop/mirror-it"}), 0) << err_;
    EXPECT_TRUE(asked("delete routerules.config.istio.io -n shop -- mirror-it"));
    EXPECT_EQ(run({"delete", "policy", "p"}), 0) << err_;
    EXPECT_TRUE(asked("delete mirrorpolicies.umbra.dev -n default -- p"));
    EXPECT_EQ(run({"delete", "-n", "shop", "-f", write("rule.yaml", kRule)}), 0) << err_;
    EXPECT_TRUE(asked("delete -n shop -f -"));
    EXPECT_EQ(content("input"), kRule);
    for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
             {"delete"}, {"delete", "rule"}, {"delete", "pod", "x"}, {"apply"}, {"status", "-o", "xml"}, {}})
        EXPECT_EQ(run(wrong), 2) << testing::PrintToString(wrong);
}

TEST_F(KubectlTest, InstallAndUninstallGiveManifestsToKubectl) {
    answer("apply*", "made\n");
    answer("*apply*", "made\n");
    answer("delete*", "gone\n");
    EXPECT_EQ(run({"install", "--namespace", "mirror"}), 0) << err_;
    EXPECT_EQ(out_, "made\n");
    EXPECT_NE(content("input").find("kind: CustomResourceDefinition"), std::string::npos);
    EXPECT_NE(content("input").find("namespace: mirror\n"), std::string::npos);
    EXPECT_EQ(run({"uninstall"}), 0) << err_;
    EXPECT_TRUE(asked("delete --ignore-not-found -f -"));
    EXPECT_EQ(content("input").find("CustomResourceDefinition"), std::string::npos);
    EXPECT_EQ(run({"uninstall", "--crds"}), 0) << err_;
    EXPECT_NE(content("input").find("CustomResourceDefinition"), std::string::npos);
    EXPECT_EQ(run({"install", "--context", "c", "--crds"}, "umbra"), 0) << err_;
    EXPECT_TRUE(asked("--context=c apply -f -"));
    EXPECT_EQ(run({"uninstall", "--dry-run"}, "umbra"), 0);
    EXPECT_TRUE(told("kind: DaemonSet"));
}

TEST_F(KubectlTest, NamespacesAndImagesThatCannotBeUsedAreRefused) {
    for (const char* ns : {"default", "kube-system", "Upper", ""})
        EXPECT_EQ(run({"install", "--dry-run", "--namespace", ns}), 2) << ns;
    for (const char* image : {"umbra", "umbra:latest", "a b:1", "x:1\ny", "r:5000/umbra", ":1"})
        EXPECT_EQ(run({"install", "--dry-run", "--image", image}), 2) << image;
    for (const char* image : {"umbra:1", "r:5000/a/umbra:1", "u@sha256:00"}) {
        EXPECT_EQ(run({"install", "--dry-run", "--image", image}), 0) << err_;
        EXPECT_TRUE(told(std::string("image: ") + image + "\n"));
        EXPECT_FALSE(told("image: umbra:" UMBRA_VERSION "\n") && std::string(image) != "umbra:" UMBRA_VERSION);
    }
    EXPECT_FALSE(asked("apply"));
}

TEST(Process, IsBoundedInTimeAndOutput) {
    const auto echoed = run_process({.argv = {"cat"}, .input = std::string(1u << 20, 'x')});
    ASSERT_TRUE(echoed);
    EXPECT_EQ(echoed->out.size(), 1u << 20);
    const auto failed = run_process({.argv = {"sh", "-c", "echo no >&2; exit 7"}, .input = "unread"});
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->exit_code, 7);
    EXPECT_EQ(failed->err, "no\n");
    const auto killed = run_process({.argv = {"sh", "-c", "kill -TERM $$"}, .input = ""});
    ASSERT_TRUE(killed);
    EXPECT_EQ(killed->exit_code, 128 + 15);
    const auto endless = run_process({.argv = {"yes"}, .input = "", .max_output = 1000});
    ASSERT_FALSE(endless);
    EXPECT_NE(endless.error().message.find("says too much"), std::string::npos);
    const auto slow = run_process({.argv = {"sleep", "60"}, .input = "", .timeout = std::chrono::milliseconds(50)});
    ASSERT_FALSE(slow);
    EXPECT_NE(slow.error().message.find("not finished"), std::string::npos);
    const auto absent = run_process({.argv = {"no-such-program-of-umbra"}, .input = ""});
    ASSERT_FALSE(absent);
    EXPECT_NE(absent.error().hint, "");
}

}  // namespace
}  // namespace umbra::cli
