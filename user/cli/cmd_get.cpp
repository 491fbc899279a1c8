#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/render.h"

namespace umbra::cli {

namespace {

using control::Json;

constexpr const char* kFooter = R"(Examples:
  umbra get rules
  umbra get rules mirror-traffic-to-httbin-v2 -o yaml
  umbra get policies
  umbra get endpoints httpbin -o wide)";

struct GetOptions {
    std::string what, name, socket, output;
};

std::string joined(const Json& list) {
    std::string text;
    for (const Json& item : list) {
        if (item.is_string()) text += (text.empty() ? "" : ", ") + item.get<std::string>();
    }
    return text;
}

std::string rules_table(const Json& rows, bool wide) {
    using Column = Table::Column;
    std::vector<Column> columns{{"RULE"},
                                {"PRECEDENCE", Table::Align::right},
                                {"ORIGINS", Table::Align::right},
                                {"MIRRORS", Table::Align::right},
                                {"STATUS"}};
    if (wide) columns.insert(columns.end(), {{"DESTINATION"}, {"MIRROR"}});
    Table table(columns);
    for (const Json& row : rows) {
        std::vector<std::string> cells{field(row, "rule"), field(row, "precedence"), field(row, "origins"),
                                       field(row, "mirror_endpoints"), field(row, "status")};
        if (wide) cells.insert(cells.end(), {field(row, "destination"), field(row, "mirror")});
        table.add(std::move(cells));
    }
    return table.text(0, wide ? 0 : kTextWidth);
}

std::string policies_table(const Json& rows, bool wide) {
    Table table({{"POLICY"}, {"RULE"}, {"PROTOCOL"}, {"FURTHER MIRRORS", Table::Align::right}, {"STATUS"}});
    for (const Json& row : rows) {
        table.add({field(row, "policy"), field(row, "rule"), field(row, "protocol"), field(row, "mirrors"),
                   field(row, "status")});
    }
    return table.text(0, wide ? 0 : kTextWidth);
}

std::string endpoints_table(const Json& rows, bool wide) {
    Table table({{"ENDPOINT"}, {"ROLE"}, {"SERVICE"}, {"PORT", Table::Align::right}, {"RULES"}});
    for (const Json& row : rows) {
        table.add({field(row, "endpoint"), field(row, "role"), field(row, "service"), field(row, "service_port"),
                   joined(part(row, "rules"))});
    }
    return table.text(0, wide ? 0 : kTextWidth);
}

std::string table_of(const std::string& what, const Json& rows, bool wide) {
    if (what == "rules") return rules_table(rows, wide);
    return what == "policies" ? policies_table(rows, wide) : endpoints_table(rows, wide);
}

int run_get(const GetOptions& options, Console& console) {
    const auto rows =
        ask_agent(console, options.socket, {{"verb", "get"}, {"what", options.what}, {"name", options.name}});
    if (!rows) return report(console, rows.error());
    if (options.output == "json") {
        console.out << as_json(*rows);
    } else if (options.output == "yaml") {
        console.out << as_yaml(*rows);
    } else if (rows->empty()) {
        console.out << "no " << options.what << "\n";
    } else {
        console.out << table_of(options.what, *rows, options.output == "wide");
    }
    return 0;
}

}  // namespace

void setup_get(CLI::App& app, Action& action) {
    auto options = std::make_shared<GetOptions>();
    CLI::App* verb = app.add_subcommand("get", "list the rules, policies or endpoints of the running agent");
    verb->footer(kFooter);
    verb->add_option("what", options->what, "rules, policies or endpoints")
        ->required()
        ->check(CLI::IsMember({"rules", "policies", "endpoints"}))
        ->type_name("");
    verb->add_option("name", options->name, "a rule or policy, or for endpoints also a service or an address")
        ->type_name("");
    add_socket(*verb, options->socket);
    add_output(*verb, options->output, {"text", "json", "yaml", "wide"});
    verb->callback([options, &action] { action = [options](Console& console) { return run_get(*options, console); }; });
}

}  // namespace umbra::cli
