#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/render.h"

namespace umbra::cli {

namespace {

using control::Json;
using Align = Table::Align;

constexpr const char* kFooter =
    R"(For every rule: seen = mirrored + dropped by reason + in flight, in flows, requests and bytes; and before that, in
the kernel: seen = cloned + dropped by reason, in packets. Bytes are those captured, retransmissions included.
Further mirrors of a rule have rows of their own, RULE#2, RULE#3 and so on; the kernel's figures are the first row's.

Examples:
  umbra ledger                    exit 1 if it does not close
  umbra ledger -o json)";

void add_units(Table& table, const std::string& name, const Json& units) {
    table.add({name, with_thousands(number(units, "flows")), with_thousands(number(units, "requests")),
               with_thousands(number(units, "bytes"))});
}

void add_packets(Table& table, const std::string& name, const Json& count) {
    table.add({name, with_thousands(number(count, "packets")), with_thousands(number(count, "bytes"))});
}

std::string kernel_text(const Json& kernel) {
    Table table({{"kernel"}, {"PACKETS", Align::right}, {"BYTES", Align::right}});
    add_packets(table, "  seen", part(kernel, "seen"));
    add_packets(table, "  cloned", part(kernel, "cloned"));
    for (const auto& [reason, count] : part(kernel, "dropped").items())
        add_packets(table, "  dropped, " + reason, count);
    add_packets(table, "  server headers", part(kernel, "server"));
    add_packets(table, "  bare ACKs", part(kernel, "bare_acks"));
    return table.text(2);
}

std::string rule_text(const Json& rule) {
    std::string text = "\n" + field(rule, "rule") + (part(rule, "removed") == true ? " (removed)" : "") + "\n";
    const Json& kernel = part(rule, "kernel");
    if (number(part(kernel, "seen"), "packets") == 0 && number(part(rule, "seen"), "flows") == 0 &&
        number(part(rule, "seen"), "bytes") == 0)
        return text + "  nothing seen\n";
    Table table({{"mirror"}, {"FLOWS", Align::right}, {"REQUESTS", Align::right}, {"BYTES", Align::right}});
    add_units(table, "  seen", part(rule, "seen"));
    add_units(table, "  mirrored", part(rule, "mirrored"));
    for (const auto& [reason, units] : part(rule, "dropped").items()) add_units(table, "  dropped, " + reason, units);
    add_units(table, "  in flight", part(rule, "in_flight"));
    text += table.text(2);
    // A further mirror of a rule: the kernel clones once for all of them.
    const std::string key = field(rule, "rule");
    const auto mark = key.find('#');
    if (mark != std::string::npos && number(part(kernel, "seen"), "packets") == 0)
        return text + "  kernel: counted with " + key.substr(0, mark) + "\n";
    return text + kernel_text(kernel);
}

std::string ledger_text(const Json& ledger) {
    std::string text;
    for (const Json& rule : part(ledger, "rules")) text += rule_text(rule);
    if (!text.empty()) text.erase(0, 1);
    const Json& capture = part(ledger, "capture");
    text += fmt::format("{}payload bytes cloned {}, captured {}, ", text.empty() ? "" : "\n",
                        with_thousands(number(capture, "cloned")), with_thousands(number(capture, "captured")));
    if (const auto unreported = number(capture, "unreported"); unreported != 0)
        text += fmt::format("unreported {}, ", with_thousands(unreported));
    text += fmt::format("in queue {}: ", with_thousands(number(capture, "in_queue")));
    if (part(ledger, "closes") == true) return text + "the ledger closes\n";
    text += "THE LEDGER DOES NOT CLOSE\n";
    for (const Json& imbalance : part(ledger, "imbalances")) {
        if (imbalance.is_string()) text += "  " + imbalance.get<std::string>() + "\n";
    }
    return text;
}

struct LedgerOptions {
    std::string socket, output;
};

int run_ledger(const LedgerOptions& options, Console& console) {
    const auto ledger = ask_agent(console, options.socket, {{"verb", "ledger"}});
    if (!ledger) return report(console, ledger.error());
    if (options.output == "json")
        console.out << as_json(*ledger);
    else if (options.output == "yaml")
        console.out << as_yaml(*ledger);
    else
        console.out << ledger_text(*ledger);
    return part(*ledger, "closes") == true ? 0 : static_cast<int>(ErrorCode::failure);
}

}  // namespace

void setup_ledger(CLI::App& app, Action& action) {
    auto options = std::make_shared<LedgerOptions>();
    CLI::App* verb = app.add_subcommand("ledger", "what became of everything seen, by rule and reason");
    verb->footer(kFooter);
    add_socket(*verb, options->socket);
    add_output(*verb, options->output, {"text", "json", "yaml"});
    verb->callback(
        [options, &action] { action = [options](Console& console) { return run_ledger(*options, console); }; });
}

}  // namespace umbra::cli
