#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/render.h"

namespace umbra::cli {

namespace {

using control::Json;

constexpr const char* kFooter = R"(Examples:
  umbra apply -f rule.yaml
  kubectl get svc,pods -o yaml | umbra apply -f -

Documents are merged over those that the agent has, all or none; open connections go on. At most 1 MiB at once.)";

struct ApplyOptions {
    std::vector<std::string> files;
    std::string socket, output;
};

int run_apply(const ApplyOptions& options, Console& console) {
    const auto documents = read_documents(console, options.files);
    if (!documents) return report(console, documents.error());
    const auto result = ask_agent(console, options.socket, {{"verb", "apply"}, {"documents", *documents}});
    if (!result) return report(console, result.error());
    if (options.output == "json") {
        console.out << as_json(*result);
        return 0;
    }
    for (const Json& change : part(*result, "changes"))
        console.out << field(change, "object") << " " << field(change, "change") << "\n";
    if (part(*result, "changes").empty()) console.out << "nothing changed\n";
    if (const std::string note = field(*result, "note"); !note.empty()) console.err << "note: " << note << "\n";
    return 0;
}

}  // namespace

void setup_apply(CLI::App& app, Action& action) {
    auto options = std::make_shared<ApplyOptions>();
    CLI::App* verb = app.add_subcommand("apply", "put rules and registry documents in force on the running agent");
    verb->footer(kFooter);
    add_files(*verb, options->files)->required();
    add_socket(*verb, options->socket);
    add_output(*verb, options->output, {"text", "json"});
    verb->callback(
        [options, &action] { action = [options](Console& console) { return run_apply(*options, console); }; });
}

}  // namespace umbra::cli
