#include "cli/kubectl_agents.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <tuple>

#include "cli/render.h"

namespace umbra::cli {

namespace {

using control::Json;

constexpr const char* kSocket = "--socket=/run/umbra/control/umbra.sock";

// Why the loader of a pod cannot be asked; empty when it can.
std::string loader_trouble(const Json& pod) {
    const Json& status = part(pod, "status");
    for (const Json& container : part(status, "containerStatuses")) {
        if (field(container, "name") != "loader") continue;
        const Json& state = part(container, "state");
        if (state.contains("running")) return "";
        for (const char* kind : {"waiting", "terminated"}) {
            const Json& found = part(state, kind);
            if (found.is_object()) return "the loader does not run: " + field(found, "reason");
        }
    }
    return "the pod is " + field(status, "phase");
}

Result<std::vector<AgentAnswer>> list_agents(const Kubectl& kubectl) {
    const auto& options = kubectl.options();
    std::vector<std::string> arguments{"get", "pods", "-n", options.agent_ns, "-l", "app.kubernetes.io/name=umbra",
                                       "-o",  "json"};
    if (!options.node.empty()) arguments.push_back("--field-selector=spec.nodeName=" + options.node);
    const auto text = kubectl.output(std::move(arguments));
    if (!text) return text.error();
    const Json list = Json::parse(*text, nullptr, false);
    if (!part(list, "items").is_array()) return Error{ErrorCode::failure, "kubectl get pods: its answer is no list"};
    std::vector<AgentAnswer> agents;
    for (const Json& pod : part(list, "items")) {
        const std::string node = field(part(pod, "spec"), "nodeName");
        agents.push_back(
            {node.empty() ? "(none)" : node, field(part(pod, "metadata"), "name"), {}, loader_trouble(pod)});
    }
    if (agents.empty()) {
        const std::string where = options.node.empty() ? "" : " on node " + options.node;
        return Error{ErrorCode::failure, "find agents: no pod of Umbra in namespace " + options.agent_ns + where,
                     "kubectl umbra install, or --agent-namespace where it runs"};
    }
    std::ranges::sort(agents, {}, [](const AgentAnswer& agent) { return std::tie(agent.node, agent.pod); });
    return agents;
}

void ask_agent(const Kubectl& kubectl, const std::vector<std::string>& arguments, AgentAnswer& agent) {
    const auto& options = kubectl.options();
    std::vector<std::string> all{"exec", "-n", options.agent_ns, "-c", "loader", agent.pod, "--", "/usr/bin/umbra"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.insert(all.end(), {kSocket, "--output=json"});
    const auto done = kubectl.run(std::move(all), {}, std::chrono::seconds(options.timeout));
    if (!done) {
        agent.error = done.error().message;
        return;
    }
    // A ledger that does not close is an answer with exit code 1.
    Json answer = Json::parse(done->out, nullptr, false);
    if (answer.is_structured()) {
        agent.answer = std::move(answer);
        return;
    }
    agent.error = last_line(done->err);
    if (agent.error.empty()) agent.error = "no answer, exit code " + std::to_string(done->exit_code);
}

}  // namespace

Result<std::vector<AgentAnswer>> ask_agents(const Kubectl& kubectl, const std::vector<std::string>& arguments) {
    auto agents = list_agents(kubectl);
    if (!agents) return agents;
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < agents->size(); i = next++) {
            if (agents->at(i).error.empty()) ask_agent(kubectl, arguments, agents->at(i));
        }
    };
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < std::min(kParallelAgents, agents->size()); ++i) threads.emplace_back(work);
    threads.clear();
    return agents;
}

}  // namespace umbra::cli
