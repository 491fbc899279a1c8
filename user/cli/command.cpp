#include "cli/command.h"

#include <ostream>

#include "control/address.h"
#include "control/client.h"

namespace umbra::cli {

using control::Json;

int report(Console& console, const Error& error) {
    console.err << "error: " << error.message << "\n";
    if (!error.hint.empty()) console.err << "  hint: " << error.hint << "\n";
    return static_cast<int>(error.code);
}

CLI::Option* add_files(CLI::App& verb, std::vector<std::string>& files) {
    return verb
        .add_option("-f,--file", files, "file, folder (*.yaml, *.yml, *.json) or - for standard input; repeatable")
        ->type_name("PATH")
        ->expected(1)
        ->take_all();
}

void add_targets(CLI::App& verb, std::vector<std::string>& allowed, std::vector<std::string>& only) {
    const auto add = [&verb](const char* name, std::vector<std::string>& blocks, const char* meaning) {
        verb.add_option(name, blocks, meaning)->type_name("CIDR")->expected(1)->take_all();
    };
    add("--allow-targets", allowed,
        "mirrors may be here too: a block of loopback, link-local, metadata or multicast addresses, which are refused "
        "otherwise; repeatable");
    add("--only-targets", only, "mirrors may be in these blocks only; repeatable");
}

void add_socket(CLI::App& verb, std::string& socket) {
    socket = control::kDefaultSocket;
    verb.add_option("--socket", socket, "control socket of the agent")->type_name("PATH")->capture_default_str();
}

void add_output(CLI::App& verb, std::string& output, const std::vector<std::string>& formats) {
    output = formats.front();
    verb.add_option("-o,--output", output, "format of the result")
        ->check(CLI::IsMember(formats))
        ->type_name("FORMAT")
        ->capture_default_str();
}

Result<Json> ask_agent(Console& console, const std::string& socket, const Json& request) {
    auto response = control::ask(socket, request);
    if (!response) return response.error();
    if (response->result.is_object()) {
        const auto findings = response->result.find("diagnostics");
        if (findings != response->result.end() && findings->is_string())
            console.err << findings->get_ref<const std::string&>();
    }
    if (!response->ok) return Error{response->code, response->error, response->hint};
    return std::move(response->result);
}

Result<Json> read_documents(Console& console, const std::vector<std::string>& files) {
    rules::Diagnostics diagnostics;
    const auto sources = rules::read_sources(files, diagnostics);
    const bool failed = diagnostics.has_errors();
    console.err << rules::print_diagnostics(diagnostics.take());
    if (failed) return Error{ErrorCode::invalid_rules, "the files cannot be read; nothing was changed"};
    Json documents = Json::array();
    for (const auto& source : sources) documents.push_back({{"name", source.name}, {"text", source.text}});
    return documents;
}

Result<rules::LoadOutcome> load_files(Console& console, const RuleFiles& from) {
    auto targets = rules::target_guard(from.allow_targets, from.only_targets);
    if (!targets) return targets.error();
    rules::CompileOptions options;
    options.targets = std::move(*targets);
    auto outcome = rules::load_paths(from.files, options);
    console.err << rules::print_diagnostics(outcome.diagnostics);
    if (!outcome.ok) return Error{ErrorCode::invalid_rules, "the rules are not valid"};
    return outcome;
}

}  // namespace umbra::cli
