#include "cli/kubectl_client.h"

#include <cstdlib>

namespace umbra::cli {

std::string last_line(const std::string& text) {
    const auto end = text.find_last_not_of(" \r\n");
    if (end == std::string::npos) return "";
    const auto begin = text.find_last_of('\n', end);
    return text.substr(begin == std::string::npos ? 0 : begin + 1,
                       end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

Result<ProcessOutcome> Kubectl::run(std::vector<std::string> arguments, std::string input,
                                    std::chrono::seconds timeout) const {
    const char* program = std::getenv("UMBRA_KUBECTL");
    ProcessRequest request;
    request.argv = {program && *program ? program : "kubectl"};
    if (!options_.context.empty()) request.argv.push_back("--context=" + options_.context);
    if (!options_.kubeconfig.empty()) request.argv.push_back("--kubeconfig=" + options_.kubeconfig);
    for (auto& argument : arguments) request.argv.push_back(std::move(argument));
    request.input = std::move(input);
    request.timeout = timeout;
    return run_process(request);
}

Result<std::string> Kubectl::output(std::vector<std::string> arguments, std::string input) const {
    const std::string what = arguments.empty() ? "" : " " + arguments[0];
    auto done = run(std::move(arguments), std::move(input));
    if (!done) return done.error();
    if (done->exit_code == 0) return std::move(done->out);
    const std::string said = last_line(done->err);
    return Error{ErrorCode::failure,
                 "kubectl" + what + ": " + (said.empty() ? "exit code " + std::to_string(done->exit_code) : said)};
}

std::string Kubectl::file_namespace() const {
    if (!options_.ns.empty()) return options_.ns;
    const auto current = output({"config", "view", "--minify", "-o", "jsonpath={..namespace}"});
    return current && !current->empty() ? *current : "default";
}

}  // namespace umbra::cli
