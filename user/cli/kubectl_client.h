// One cluster, as kubectl reaches it. The program is kubectl of PATH, or what UMBRA_KUBECTL names.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/process.h"
#include "control/message.h"

namespace umbra::cli {

inline constexpr const char* kAgentNamespace = "umbra-system";

struct KubectlOptions {
    std::string context, kubeconfig;
    std::string ns;  // of rules; empty: all, and for files that of kubectl's context
    std::string agent_ns = kAgentNamespace;
    std::string node;  // empty: all
    std::string output = "text";
    unsigned timeout = 15;  // seconds for each agent
};

class Kubectl {
public:
    explicit Kubectl(const KubectlOptions& options) : options_(options) {}
    const KubectlOptions& options() const { return options_; }

    // Runs it with --context and --kubeconfig; whatever its exit code.
    Result<ProcessOutcome> run(std::vector<std::string> arguments, std::string input = {},
                               std::chrono::seconds timeout = std::chrono::seconds(60)) const;
    // Its output; a failure is an Error with what it said.
    Result<std::string> output(std::vector<std::string> arguments, std::string input = {}) const;
    // Where files without a namespace go: -n, else the context's, else "default".
    std::string file_namespace() const;

private:
    KubectlOptions options_;
};

// The last line that a program said on standard error.
std::string last_line(const std::string& text);

}  // namespace umbra::cli
