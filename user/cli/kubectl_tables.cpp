#include "cli/kubectl_tables.h"

#include <algorithm>

#include "cli/render.h"

namespace umbra::cli {

namespace {

using control::Json;
using Align = Table::Align;

std::string shown(const Table& table, const char* none) { return table.empty() ? none : table.text(0, 0); }

std::string joined(const Json& list) {
    std::string text;
    for (const Json& item : list) {
        if (item.is_string()) text += (text.empty() ? "" : ", ") + item.get<std::string>();
    }
    return text;
}

// Keys are NAMESPACE/NAME.
bool is_of(const std::string& key, const std::string& ns) { return ns.empty() || key.starts_with(ns + "/"); }

std::string agent_state(const AgentAnswer& agent) {
    if (!agent.error.empty()) return agent.error;
    return field(agent.answer, "terminator") == "running" ? "ok" : "the terminator is being restarted";
}

Table agents_table(const std::vector<AgentAnswer>& agents) {
    Table table({{"NODE"}, {"VERSION"}, {"HOOK"}, {"DEVICES", Align::right}, {"RULES", Align::right}, {"STATUS"}});
    for (const auto& agent : agents) {
        if (!agent.error.empty()) {
            table.add({agent.node, "", "", "", "", agent.error});
            continue;
        }
        table.add({agent.node, field(agent.answer, "version"), field(agent.answer, "hook"),
                   std::to_string(part(agent.answer, "attach_points").size()),
                   std::to_string(part(agent.answer, "rules").size()), agent_state(agent)});
    }
    return table;
}

void add_failures(Table& table, const std::vector<AgentAnswer>& agents, std::size_t columns) {
    for (const auto& agent : agents) {
        if (agent.error.empty()) continue;
        std::vector<std::string> row(columns);
        row.front() = agent.node;
        row.back() = agent.error;
        table.add(std::move(row));
    }
}

// flows, requests or bytes of all reasons.
std::int64_t dropped(const Json& rule, const char* unit) {
    std::int64_t sum = 0;
    for (const Json& reason : part(rule, "dropped")) sum += number(reason, unit);
    return sum;
}

std::string count(const Json& rule, const char* what) { return with_thousands(number(part(rule, what), "requests")); }

using Cells = std::vector<std::string>;

struct ListShape {
    std::vector<Table::Column> columns;
    const char* key;
    Cells (*cells)(const Json& row);
};

ListShape shape_of(const std::string& what) {
    if (what == "rules")
        return {{{"NODE"},
                 {"RULE"},
                 {"PRECEDENCE", Align::right},
                 {"ORIGINS", Align::right},
                 {"MIRRORS", Align::right},
                 {"STATUS"}},
                "rule",
                [](const Json& row) -> Cells {
                    return {field(row, "rule"), field(row, "precedence"), field(row, "origins"),
                            field(row, "mirror_endpoints"), field(row, "status")};
                }};
    if (what == "policies")
        return {{{"NODE"}, {"POLICY"}, {"RULE"}, {"PROTOCOL"}, {"FURTHER MIRRORS", Align::right}, {"STATUS"}},
                "policy",
                [](const Json& row) -> Cells {
                    return {field(row, "policy"), field(row, "rule"), field(row, "protocol"), field(row, "mirrors"),
                            field(row, "status")};
                }};
    return {{{"NODE"}, {"ENDPOINT"}, {"ROLE"}, {"SERVICE"}, {"PORT", Align::right}, {"RULES"}},
            nullptr,
            [](const Json& row) -> Cells {
                return {field(row, "endpoint"), field(row, "role"), field(row, "service"), field(row, "service_port"),
                        joined(part(row, "rules"))};
            }};
}

}  // namespace

std::string nodes_status(const std::vector<AgentAnswer>& agents, const std::string& ns) {
    Table rules({{"NODE"}, {"RULE"}, {"ORIGINS", Align::right}, {"MIRRORS", Align::right}, {"STATUS"}});
    for (const auto& agent : agents) {
        for (const Json& row : part(agent.answer, "rules")) {
            if (is_of(field(row, "rule"), ns))
                rules.add({agent.node, field(row, "rule"), field(row, "origins"), field(row, "mirror_endpoints"),
                           field(row, "status")});
        }
    }
    return agents_table(agents).text(0, 0) + "\n" + shown(rules, "no rules\n");
}

std::string nodes_ledger(const std::vector<AgentAnswer>& agents, const std::string& ns) {
    Table table({{"NODE"},
                 {"RULE"},
                 {"SEEN", Align::right},
                 {"MIRRORED", Align::right},
                 {"DROPPED", Align::right},
                 {"IN FLIGHT", Align::right},
                 {"LEDGER"}});
    for (const auto& agent : agents) {
        const char* closes = part(agent.answer, "closes") == true ? "closes" : "DOES NOT CLOSE";
        for (const Json& rule : part(agent.answer, "rules")) {
            if (is_of(field(rule, "rule"), ns))
                table.add({agent.node, field(rule, "rule"), count(rule, "seen"), count(rule, "mirrored"),
                           with_thousands(dropped(rule, "requests")), count(rule, "in_flight"), closes});
        }
    }
    add_failures(table, agents, 7);
    return shown(table, "no rules\n");
}

std::string nodes_list(const std::vector<AgentAnswer>& agents, const std::string& what, const std::string& ns) {
    const ListShape shape = shape_of(what);
    Table table(shape.columns);
    for (const auto& agent : agents) {
        for (const Json& row : agent.answer) {
            if (shape.key && !is_of(field(row, shape.key), ns)) continue;
            Cells cells = shape.cells(row);
            cells.insert(cells.begin(), agent.node);
            table.add(std::move(cells));
        }
    }
    add_failures(table, agents, shape.columns.size());
    return shown(table, ("no " + what + "\n").c_str());
}

std::string nodes_version(const std::vector<AgentAnswer>& agents) {
    Table table({{"NODE"}, {"VERSION"}, {"KERNEL CONTRACT", Align::right}, {"KERNEL"}});
    for (const auto& agent : agents) {
        if (!agent.error.empty()) continue;
        table.add(
            {agent.node, field(agent.answer, "version"), field(agent.answer, "abi"), field(agent.answer, "kernel")});
    }
    add_failures(table, agents, 4);
    return table.text(0, 0);
}

Json nodes_json(const std::vector<AgentAnswer>& agents) {
    Json rows = Json::array();
    for (const auto& agent : agents) {
        Json row{{"node", agent.node}, {"pod", agent.pod}};
        if (agent.error.empty())
            row["answer"] = agent.answer;
        else
            row["error"] = agent.error;
        rows.push_back(std::move(row));
    }
    return rows;
}

bool all_answered(const std::vector<AgentAnswer>& agents) {
    return std::ranges::all_of(agents, [](const AgentAnswer& agent) { return agent.error.empty(); });
}

bool all_ledgers_close(const std::vector<AgentAnswer>& agents) {
    return std::ranges::all_of(
        agents, [](const AgentAnswer& agent) { return agent.error.empty() && part(agent.answer, "closes") == true; });
}

}  // namespace umbra::cli
