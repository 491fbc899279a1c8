#include <memory>
#include <ostream>

#include "cli/command.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter = R"(Examples:
  umbra delete rule mirror-traffic-to-httbin-v2
  umbra delete rule shop/mirror
  umbra delete policy httpbin)";

struct DeleteOptions {
    std::string what, name, socket;
};

int run_delete(const DeleteOptions& options, Console& console) {
    const auto result =
        ask_agent(console, options.socket, {{"verb", "delete"}, {"what", options.what}, {"name", options.name}});
    if (!result) return report(console, result.error());
    console.out << options.what << " " << options.name << " deleted\n";
    return 0;
}

}  // namespace

void setup_delete(CLI::App& app, Action& action) {
    auto options = std::make_shared<DeleteOptions>();
    CLI::App* verb = app.add_subcommand("delete", "remove a rule or policy from the running agent");
    verb->footer(kFooter);
    verb->add_option("what", options->what, "rule or policy")
        ->required()
        ->check(CLI::IsMember({"rule", "policy"}))
        ->type_name("");
    verb->add_option("name", options->name, "NAME or NAMESPACE/NAME")->required()->type_name("");
    add_socket(*verb, options->socket);
    verb->callback(
        [options, &action] { action = [options](Console& console) { return run_delete(*options, console); }; });
}

}  // namespace umbra::cli
