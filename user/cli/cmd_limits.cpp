#include <algorithm>
#include <iterator>
#include <memory>
#include <ostream>
#include <thread>

#include "agent/exceptions.h"
#include "cli/command.h"
#include "cli/render.h"
#include "control/exceptions.h"
#include "kube/exceptions.h"
#include "metrics/exceptions.h"
#include "offline/exceptions.h"
#include "rules/exceptions.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter = R"(Every limit of the program: what happens past it, and where that is counted.
COUNTER is a reason of the ledger, a figure of `umbra status` or of the metrics, an error of the command, or the log.
FORCED BY makes it act, to show what happens: --force and --limit are options of `umbra run`, and what is written as
NAME can be NAME=N for every N-th check; an input is what reaches it.)";

std::vector<ExceptionRow> every_limit() {
    auto rows = agent::list_limits(std::max(std::thread::hardware_concurrency(), 1u));
    for (const auto& more : {rules::list_limits(), control::list_limits(), kube::list_limits(), metrics::list_limits(),
                             offline::list_limits()})
        std::ranges::copy(more, std::back_inserter(rows));
    return rows;
}

control::Json to_json(const std::vector<ExceptionRow>& rows) {
    control::Json out = control::Json::array();
    for (const auto& row : rows) {
        out.push_back({{"name", row.name},
                       {"default", row.value},
                       {"action", to_string(row.action)},
                       {"counter", row.counter},
                       {"forced_by", row.force},
                       {"meaning", row.meaning}});
    }
    return out;
}

int print_limits(Console& console, const std::string& output) {
    const auto rows = every_limit();
    if (output == "json" || output == "yaml") {
        console.out << (output == "json" ? as_json(to_json(rows)) : as_yaml(to_json(rows)));
        return 0;
    }
    Table table({{"NAME"}, {"DEFAULT", Table::Align::right}, {"ACTION"}, {"COUNTER"}, {"FORCED BY"}});
    for (const auto& row : rows) table.add({row.name, row.value, to_string(row.action), row.counter, row.force});
    console.out << table.text(0, 0);
    return 0;
}

}  // namespace

void setup_limits(CLI::App& app, Action& action) {
    auto output = std::make_shared<std::string>();
    CLI::App* verb = app.add_subcommand("limits", "every limit, what happens past it, and what forces it");
    verb->footer(kFooter);
    add_output(*verb, *output, {"text", "json", "yaml"});
    verb->callback(
        [output, &action] { action = [output](Console& console) { return print_limits(console, *output); }; });
}

}  // namespace umbra::cli
