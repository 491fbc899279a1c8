// What the verbs of the command line share. A verb's setup_*() declares its options; when the verb is chosen, it leaves
// the Action that carries it out.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/message.h"
#include "rules/load.h"

namespace umbra::cli {

struct Console {
    std::ostream& out;
    std::ostream& err;
};

using Action = std::function<int(Console&)>;

void setup_run(CLI::App& app, Action& action);
void setup_check(CLI::App& app, Action& action);
void setup_explain(CLI::App& app, Action& action);
void setup_apply(CLI::App& app, Action& action);
void setup_get(CLI::App& app, Action& action);
void setup_delete(CLI::App& app, Action& action);
void setup_pause(CLI::App& app, Action& action);
void setup_resume(CLI::App& app, Action& action);
void setup_diff(CLI::App& app, Action& action);
void setup_status(CLI::App& app, Action& action);
void setup_ledger(CLI::App& app, Action& action);
void setup_streams(CLI::App& app, Action& action);
void setup_replay(CLI::App& app, Action& action);
void setup_terminator(CLI::App& app, Action& action);
void setup_controller(CLI::App& app, Action& action);
void setup_exporter(CLI::App& app, Action& action);
void setup_limits(CLI::App& app, Action& action);
void setup_version(CLI::App& app, Action& action);
void setup_install(CLI::App& app, Action& action);
void setup_uninstall(CLI::App& app, Action& action);

// `explain` with any source of the plan; `check`'s verdict.
using PlanSource = std::function<Result<rules::Plan>(Console& console, const std::vector<std::string>& files)>;
CLI::App* add_explain(CLI::App& app, Action& action, PlanSource plan);
void print_checked(Console& console, const rules::Plan& plan);

// Parses and carries out; CLI11's exceptions end here.
int run_app(CLI::App& app, Action& action, std::vector<std::string> arguments, Console& console);

// "error: MESSAGE" and "  hint: HINT"; returns the exit code.
int report(Console& console, const Error& error);

// -f, as every verb that takes files has it.
CLI::Option* add_files(CLI::App& verb, std::vector<std::string>& files);
// --allow-targets and --only-targets.
void add_targets(CLI::App& verb, std::vector<std::string>& allowed, std::vector<std::string>& only);
// --socket and, with the formats that the verb knows, -o.
void add_socket(CLI::App& verb, std::string& socket);
void add_output(CLI::App& verb, std::string& output, const std::vector<std::string>& formats);

// Asks the running agent. Findings about rules in its answer go to err; a refusal becomes an Error.
Result<control::Json> ask_agent(Console& console, const std::string& socket, const control::Json& request);
// The files' texts as the field "documents" of a request.
Result<control::Json> read_documents(Console& console, const std::vector<std::string>& files);
// Files and where mirrors may be.
struct RuleFiles {
    std::vector<std::string> files;
    std::vector<std::string> allow_targets, only_targets;
};
// The files' plan; findings go to err.
Result<rules::LoadOutcome> load_files(Console& console, const RuleFiles& from);

}  // namespace umbra::cli
