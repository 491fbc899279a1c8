#include "cli/cli.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace umbra::cli {
namespace {

constexpr const char* kRegistry = R"(apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata:
  name: httpbin
spec:
  hosts: [httpbin.default.svc.cluster.local]
  ports:
  - {number: 8080, name: http, protocol: HTTP}
  resolution: STATIC
  endpoints:
  - {address: 10.0.0.1, labels: {version: v1}}
  - {address: 10.0.0.2, labels: {version: v2}}
)";
constexpr const char* kRule = R"(apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: mirror-it
spec:
  precedence: 11
  destination:
    name: httpbin
  route:
  - labels:
      version: v1
    weight: 100
  mirror:
    name: httpbin
    labels:
      version: v2
)";

class CliTest : public testing::Test {
protected:
    CliTest() {
        char name[] = "/tmp/umbra-cli-XXXXXX";
        directory_ = ::mkdtemp(name);
        registry_ = write("registry.yaml", kRegistry);
        rule_ = write("rule.yaml", kRule);
        socket_ = directory_ + "/none.sock";
    }
    ~CliTest() override { std::filesystem::remove_all(directory_); }

    std::string write(const std::string& name, const std::string& text) {
        std::ofstream(directory_ + "/" + name) << text;
        return directory_ + "/" + name;
    }
    int run(std::vector<std::string> arguments) {
        std::vector<const char*> argv{"umbra"};
        for (const auto& argument : arguments) argv.push_back(argument.c_str());
        std::ostringstream out, err;
        const int code = run_cli(static_cast<int>(argv.size()), argv.data(), out, err);
        out_ = out.str();
        err_ = err.str();
        return code;
    }
    bool told(const std::string& text) const { return out_.find(text) != std::string::npos; }
    bool warned(const std::string& text) const { return err_.find(text) != std::string::npos; }

    std::string directory_, registry_, rule_, socket_, out_, err_;
};

TEST_F(CliTest, CaptureVerbsSayWhatIsWrong) {
    const std::string capture = write("x.pcap", "no capture");
    EXPECT_EQ(run({"streams", capture}), 2);
    EXPECT_EQ(run({"streams", capture, "--out", directory_ + "/out", "--mode", "loose"}), 2);
    EXPECT_EQ(run({"streams", capture, "--out", directory_ + "/out"}), 1);
    EXPECT_TRUE(warned("error: open capture")) << err_;
    EXPECT_EQ(out_, "");
    for (const std::string target : {"nowhere", "1.2.3.4", "1.2.3.4:0", "::1:80", ":80", "1.2.3.4:99999"})
        EXPECT_EQ(run({"replay", capture, "--to", target}), 2) << target;
    EXPECT_TRUE(warned("hint: write HOST:PORT")) << err_;
    EXPECT_EQ(run({"replay", capture, "--to", "127.0.0.1:1", "--speed", "fast"}), 2);
    EXPECT_EQ(run({"replay", capture, "--to", "127.0.0.1:1", "--speed", "-1"}), 2);
    EXPECT_EQ(run({"replay", capture, "--to", "127.0.0.1:1", "--limit", "nothing=1"}), 2);
    EXPECT_EQ(run({"replay", capture, "--to", "[::1]:1"}), 1);
    EXPECT_TRUE(warned("error: open capture")) << err_;
}

TEST_F(CliTest, HelpAndVersionSucceedOnStandardOutput) {
    for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
             {"--help"}, {"run", "--help"}, {"explain", "--help"}, {"--version"}, {"version"}, {"ledger", "--help"}}) {
        EXPECT_EQ(run(arguments), 0) << arguments[0];
        EXPECT_FALSE(out_.empty());
        EXPECT_EQ(err_, "");
    }
}

// Limits: workers.
TEST_F(CliTest, WrongUsageIsTwo) {
    for (const std::vector<std::string>& arguments :
         std::vector<std::vector<std::string>>{{},
                                               {"no-such-verb"},
                                               {"apply"},
                                               {"check"},
                                               {"check", "--no-such-option"},
                                               {"get", "pods"},
                                               {"delete", "rule"},
                                               {"run", "--mode", "lazy"},
                                               {"run", "--workers", "65"},
                                               {"run", "--workers", "0"},
                                               {"run", "--force", "nothing"},
                                               {"run", "--limit", "capture_queue=0"},
                                               {"run", "--trip", "cpu=fast"},
                                               {"run", "--trip", "disk=1%"},
                                               {"pause", "now"},
                                               {"resume", "--reason", "x"},
                                               {"status", "-o", "xml"},
                                               {"explain", "-f", rule_, "--header", "a: b"}}) {
        EXPECT_EQ(run(arguments), 2) << testing::PrintToString(arguments);
        EXPECT_EQ(out_, "");
        EXPECT_NE(err_, "");
    }
}

TEST_F(CliTest, CheckAcceptsValidRules) {
    EXPECT_EQ(run({"check", "-f", registry_, "-f", rule_}), 0) << err_;
    EXPECT_TRUE(told("ok: 1 rule, 1 endpoint to mirror")) << out_;
    EXPECT_TRUE(told("default/mirror-it: mirroring")) << out_;
    EXPECT_EQ(run({"check", "-f", directory_}), 0) << err_;
}

TEST_F(CliTest, CheckRefusesInvalidRulesWithPlaceAndHint) {
    std::string text = kRule;
    text.replace(text.find("weight: 100"), 11, "weight: 90");
    const std::string bad = write("bad.yaml", text);
    EXPECT_EQ(run({"check", "-f", registry_, "-f", bad}), 3);
    EXPECT_EQ(out_, "");
    EXPECT_TRUE(warned(bad + ":")) << err_;
    EXPECT_TRUE(warned("error: ")) << err_;
    EXPECT_EQ(run({"check", "-f", directory_ + "/absent.yaml"}), 3);
}

TEST_F(CliTest, ExplainPrintsThePlanOrTheReason) {
    EXPECT_EQ(run({"explain", "-f", registry_, "-f", rule_}), 0) << err_;
    EXPECT_TRUE(told("default/mirror-it") && told("10.0.0.2:8080")) << out_;
    EXPECT_EQ(run({"explain", "-f", registry_, "-f", rule_, "--flow", "10.9.9.9:4000>10.0.0.1:8080", "--request",
                   "GET /headers", "--header", "Host: httpbin:8080"}),
              0)
        << err_;
    EXPECT_TRUE(told("mirror-it") && told("10.0.0.2:8080")) << out_;
    EXPECT_EQ(run({"explain", "-f", registry_, "-f", rule_, "--flow", "10.9.9.9:4000>10.0.0.1:8080"}), 0);
}

TEST_F(CliTest, ExplainTellsOfEachMirrorOfAPolicy) {
    const std::string policy = write("policy.yaml",
                                     "apiVersion: umbra.dev/v1alpha1\nkind: MirrorPolicy\nmetadata: {name: p}\nspec:\n"
                                     "  targetRef: {kind: RouteRule, name: mirror-it}\n  safeMethodsOnly: true\n"
                                     "  mirrors: [{name: gone}]\n");
    const auto explain = [&](const std::string& request) {
        return run({"explain", "-f", registry_, "-f", rule_, "-f", policy, "--flow", "10.9.9.9:4000>10.0.0.1:8080",
                    "--request", request});
    };
    EXPECT_EQ(explain("GET /"), 0) << err_;
    EXPECT_TRUE(told("settings safe methods only") && told("taken    yes") && told("gone.default")) << out_;
    EXPECT_EQ(explain("POST /"), 0) << err_;
    EXPECT_TRUE(told("taken    no: POST may write")) << out_;
}

TEST_F(CliTest, ExplainRefusesWhatIsNoFlowRequestOrHeader) {
    for (const char* flow : {"x", "10.0.0.1:1", "10.0.0.1>10.0.0.2", "10.0.0.1:1>10.0.0.2:2>3"})
        EXPECT_EQ(run({"explain", "-f", rule_, "--flow", flow}), 2) << flow;
    for (const char* request : {"GET", " /x", "GET "})
        EXPECT_EQ(run({"explain", "-f", rule_, "--request", request}), 2) << request;
    EXPECT_EQ(run({"explain", "-f", rule_, "--request", "GET /", "--header", "no colon"}), 2);
}

TEST_F(CliTest, OnlineVerbsWithoutAnAgentFailWithAHint) {
    for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{{"status"},
                                                                                           {"ledger"},
                                                                                           {"get", "rules"},
                                                                                           {"get", "policies"},
                                                                                           {"delete", "policy", "x"},
                                                                                           {"delete", "rule", "x"},
                                                                                           {"apply", "-f", rule_},
                                                                                           {"diff", "-f", rule_},
                                                                                           {"explain"}}) {
        auto all = arguments;
        all.insert(all.end(), {"--socket", socket_});
        EXPECT_EQ(run(all), 1) << arguments[0];
        EXPECT_TRUE(warned("umbra run")) << err_;
    }
}

TEST_F(CliTest, ApplyReadsFilesBeforeItAsks) {
    EXPECT_EQ(run({"apply", "-f", directory_ + "/absent.yaml", "--socket", socket_}), 3);
    EXPECT_TRUE(warned("absent.yaml")) << err_;
    EXPECT_EQ(run({"apply", "-f", write("big.yaml", std::string(2u << 20, '#')), "--socket", socket_}), 1);
    EXPECT_TRUE(warned("at most 1048576")) << err_;
}

}  // namespace
}  // namespace umbra::cli
