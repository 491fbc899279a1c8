#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/render.h"

namespace umbra::cli {

namespace {

using control::Json;
using Align = Table::Align;

constexpr const char* kFooter = R"(Examples:
  umbra status
  umbra status -o wide            with counters of the workers and the limits in force
  umbra status -o json)";

std::string section(const std::string& title, const Table& table) {
    return table.empty() ? "" : "\n" + title + "\n" + table.text(2);
}

std::int64_t of_all_workers(const Json& status, const char* counter) {
    std::int64_t sum = 0;
    for (const Json& row : part(status, "workers")) sum += number(row, counter);
    return sum;
}

// Somebody asked for it, but whoever reads this may not be the same person.
std::string fault_text(const Json& status) {
    std::string text;
    for (const Json& limit : part(status, "limits")) {
        if (const auto every = number(limit, "forced"); every > 0)
            text += fmt::format("FORCED LIMIT {}: one check of {} acts as if it were reached (--force)\n",
                                field(limit, "name"), every);
    }
    const std::string loss = field(status, "injected_loss");
    if (loss.empty()) return text;
    return text + fmt::format("INJECTED LOSS {} %: {} captured packets were thrown away on purpose (--inject-loss)\n",
                              loss.substr(0, loss.find(',')),
                              with_thousands(of_all_workers(status, "injected_losses")));
}

std::string percent_text(const Json& share) {
    return share.is_number() ? fmt::format("{:.4g} %", share.get<double>() * 100) : "";
}

std::string pause_text(const Json& status) {
    const Json& paused = part(status, "paused");
    if (paused.is_object()) {
        const std::string reason = field(paused, "reason");
        return fmt::format("PAUSED by {} since {}{}{}: nothing is cloned{}\n", field(paused, "by"),
                           field(paused, "since"), reason.empty() ? "" : ": ", reason,
                           field(paused, "by") == "trip" ? "" : " until `umbra resume`");
    }
    const Json& share = part(status, "clone_share");
    if (!share.is_number() || share.get<double>() >= 1) return "";
    const Json& last = part(part(status, "trip"), "last");
    return fmt::format("TRIPPED: {} of the flows are cloned since {} ({}: {})\n", percent_text(share),
                       field(last, "at"), field(last, "cause"), field(last, "values"));
}

std::string take_over_text(const Json& status) {
    const Json& from = part(status, "took_over");
    if (!from.is_object()) return "";
    return fmt::format("took over from pid {}, version {}, at {}: {} hooks within {} us, blind for {} us\n",
                       field(from, "pid"), field(from, "version"), field(from, "at"), field(from, "hooks"),
                       with_thousands(number(from, "switch_us")), with_thousands(number(from, "blind_us")));
}

std::string mode_text(const Json& status) {
    return fmt::format(
        "one-sided flows: {} now, {} fell back because the server's side was invisible; "
        "broken by lost clones: {} flows, {} gaps\n",
        with_thousands(of_all_workers(status, "one_sided")), with_thousands(of_all_workers(status, "one_sided_flows")),
        with_thousands(of_all_workers(status, "broken_flows")), with_thousands(of_all_workers(status, "gaps")));
}

std::string summary(const Json& status) {
    const bool running = field(status, "terminator") == "running";
    std::string text = fmt::format("umbra {}, pid {}, {} mode, {} worker{}, generation {}\n", field(status, "version"),
                                   field(status, "pid"), field(status, "mode"), field(status, "workers_count"),
                                   number(status, "workers_count") == 1 ? "" : "s", field(status, "generation"));
    text += fmt::format("kernel {}, attached by {}, capture devices {} and {}\n", field(status, "kernel"),
                        field(status, "hook"), field(status, "capture_device"), field(status, "capture_device_ip"));
    text += take_over_text(status) + pause_text(status) + fault_text(status);
    text += mode_text(status);
    if (!running) text += "the terminator is being restarted: nothing is mirrored\n";
    if (number(status, "restarts") > 0) text += "restarts of the terminator: " + field(status, "restarts") + "\n";
    return text;
}

Table rules_table(const Json& rows) {
    Table table(
        {{"RULE"}, {"PRECEDENCE", Align::right}, {"ORIGINS", Align::right}, {"MIRRORS", Align::right}, {"STATUS"}});
    for (const Json& row : rows) {
        table.add({field(row, "rule"), field(row, "precedence"), field(row, "origins"), field(row, "mirror_endpoints"),
                   field(row, "status")});
    }
    return table;
}

Table attach_table(const Json& rows) {
    Table table({{"DEVICE"}, {"HOOK"}, {"INGRESS", Align::right}, {"EGRESS", Align::right}, {"WHY"}});
    for (const Json& row : rows) {
        table.add({field(row, "device"), field(row, "hook"), field(row, "ingress_program"),
                   field(row, "egress_program"), field(row, "why")});
    }
    return table;
}

Table remote_table(const Json& rows) {
    Table table({{"ENDPOINT"}, {"WHY"}});
    for (const Json& row : rows) table.add({field(row, "endpoint"), field(row, "why")});
    return table;
}

Table processes_table(const Json& rows) {
    Table table({{"PROCESS"},
                 {"PID", Align::right},
                 {"USER", Align::right},
                 {"THREADS", Align::right},
                 {"MEMORY", Align::right},
                 {"NEW PRIVILEGES"},
                 {"SYSTEM CALLS"},
                 {"CAPABILITIES"}});
    for (const Json& row : rows) {
        table.add({field(row, "role"), field(row, "pid"), field(row, "uid"), field(row, "threads"),
                   size_text(static_cast<std::uint64_t>(number(row, "resident_bytes"))),
                   part(row, "no_new_privs") == true ? "never" : "possible",
                   field(row, "seccomp") == "2" ? "filtered" : "all", capability_names(field(row, "capabilities"))});
    }
    return table;
}

Table workers_table(const Json& rows) {
    Table table({{"WORKER", Align::right},
                 {"FLOWS", Align::right},
                 {"MIRROR CONNECTIONS", Align::right},
                 {"CAPTURED", Align::right},
                 {"REASSEMBLY", Align::right},
                 {"QUEUED", Align::right},
                 {"RESPONSES DISCARDED", Align::right}});
    for (const Json& row : rows) {
        table.add({field(row, "worker"), with_thousands(number(row, "flows")),
                   with_thousands(number(row, "connections")), with_thousands(number(row, "captured_packets")),
                   size_text(static_cast<std::uint64_t>(number(row, "reassembly_bytes"))),
                   size_text(static_cast<std::uint64_t>(number(row, "queued_bytes"))),
                   with_thousands(number(row, "responses"))});
    }
    return table;
}

// How often each threshold was the cause.
std::string trips_text(const Json& status) {
    std::string text;
    for (const Json& row : part(part(status, "trip"), "trips")) {
        if (number(row, "trips") > 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", field(row, "threshold"),
                                with_thousands(number(row, "trips")));
    }
    return text.empty() ? "" : "  steps down so far: " + text + "\n";
}

// Every field of every worker, and every limit: name and value.
std::string details(const Json& status) {
    std::string text;
    for (const Json& row : part(status, "workers")) {
        Table table({{""}, {"", Align::right}});
        for (const auto& [name, value] : row.items()) {
            if (name != "worker") table.add({name, with_thousands(number(row, name.c_str()))});
        }
        text += section("Worker " + field(row, "worker"), table);
    }
    Table limits({{""}, {"", Align::right}, {""}});
    for (const Json& limit : part(status, "limits"))
        limits.add({field(limit, "name"), field(limit, "value"), field(limit, "meaning")});
    Table trip({{""}, {"", Align::right}, {"NOW", Align::right}, {""}});
    for (const Json& row : part(part(status, "trip"), "settings"))
        trip.add({field(row, "name"), field(row, "value"), field(row, "now"), field(row, "meaning")});
    return text + section("Limits", limits) + section("Trip", trip) + trips_text(status);
}

Table resources_table(const Json& rows) {
    Table table({{"RESOURCE"}, {"SCOPE"}, {"STATE"}, {"OBJECTS", Align::right}, {"MESSAGE"}});
    for (const Json& row : rows) {
        table.add({field(row, "resource"), field(row, "scope"), field(row, "state"),
                   with_thousands(number(row, "objects")), field(row, "message")});
    }
    return table;
}

// What the agent knows of its cluster; every resource when asked for more, else those in trouble.
std::string kubernetes_text(const Json& status, bool wide) {
    const auto found = status.find("kubernetes");
    if (found == status.end()) return "";
    const Json& cluster = *found;
    std::string text = "\nKubernetes\n";
    if (part(cluster, "connected") != true)
        text += "  no controller is connected: the last picture of the cluster stays in force\n";
    text += fmt::format("  {}, {}, {} objects, {} changes of the plan{}\n",
                        field(cluster, "server").empty() ? "no server" : field(cluster, "server"),
                        part(cluster, "synced") == true ? "picture complete" : "picture not complete yet",
                        with_thousands(number(cluster, "objects")), with_thousands(number(cluster, "plans")),
                        part(cluster, "is_leader") == true ? ", writes the status of rules" : "");
    for (const char* trouble : {"trouble", "message"}) {
        if (const auto message = field(cluster, trouble); !message.empty()) text += "  " + message + "\n";
    }
    Json shown = Json::array();
    for (const Json& row : part(cluster, "resources")) {
        if (wide || (field(row, "state") != "watching" && field(row, "state") != "absent")) shown.push_back(row);
    }
    if (!shown.empty()) text += resources_table(shown).text(2);
    for (const Json& row : part(cluster, "rejected")) text += "  " + field(row, "findings");
    return text;
}

std::string status_text(const Json& status, bool wide) {
    std::string text = summary(status);
    text += section("Rules", rules_table(part(status, "rules")));
    text += kubernetes_text(status, wide);
    text += section("Attached", attach_table(part(status, "attach_points")));
    text += section("Not on this node", remote_table(part(status, "remote_endpoints")));
    text += section("Processes", processes_table(part(status, "processes")));
    text += section("Workers", workers_table(part(status, "workers")));
    return wide ? text + details(status) : text;
}

struct StatusOptions {
    std::string socket, output;
};

int run_status(const StatusOptions& options, Console& console) {
    const auto status = ask_agent(console, options.socket, {{"verb", "status"}});
    if (!status) return report(console, status.error());
    if (options.output == "json")
        console.out << as_json(*status);
    else if (options.output == "yaml")
        console.out << as_yaml(*status);
    else
        console.out << status_text(*status, options.output == "wide");
    return 0;
}

}  // namespace

void setup_status(CLI::App& app, Action& action) {
    auto options = std::make_shared<StatusOptions>();
    CLI::App* verb = app.add_subcommand("status", "what the running agent mirrors, where it is attached, how it is");
    verb->footer(kFooter);
    add_socket(*verb, options->socket);
    add_output(*verb, options->output, {"text", "json", "yaml", "wide"});
    verb->callback(
        [options, &action] { action = [options](Console& console) { return run_status(*options, console); }; });
}

}  // namespace umbra::cli
