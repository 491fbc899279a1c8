#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/render.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter = R"(Examples:
  umbra diff -f rule.yaml
  kubectl get svc,pods -o yaml | umbra diff -f -

Exits 0 whether or not something would change.)";

struct DiffOptions {
    std::vector<std::string> files;
    std::string socket, output;
};

int run_diff(const DiffOptions& options, Console& console) {
    const auto documents = read_documents(console, options.files);
    if (!documents) return report(console, documents.error());
    const auto result = ask_agent(console, options.socket, {{"verb", "diff"}, {"documents", *documents}});
    if (!result) return report(console, result.error());
    console.out << (options.output == "json" ? as_json(*result) : field(*result, "text"));
    return 0;
}

}  // namespace

void setup_diff(CLI::App& app, Action& action) {
    auto options = std::make_shared<DiffOptions>();
    CLI::App* verb = app.add_subcommand("diff", "what `umbra apply` would change: documents and plan");
    verb->footer(kFooter);
    add_files(*verb, options->files)->required();
    add_socket(*verb, options->socket);
    add_output(*verb, options->output, {"text", "json"});
    verb->callback(
        [options, &action] { action = [options](Console& console) { return run_diff(*options, console); }; });
}

}  // namespace umbra::cli
