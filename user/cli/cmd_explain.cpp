#include <algorithm>
#include <cctype>
#include <memory>
#include <optional>
#include <ostream>

#include "cli/command.h"
#include "rules/explain.h"
#include "rules/plan_json.h"
#include "rules/plan_print.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter = R"(Examples:
  umbra explain -f rules/                                             the whole plan
  umbra explain -f rules/ --flow '10.0.0.1:4000>10.0.0.2:8080'        which rule, why, where to
  umbra explain -f rules/ --request 'GET /headers' --header 'Host: httpbin:8000'
  umbra explain --flow '[fd00::1]:4000>[fd00::2]:8080'                the running agent's plan)";

struct ExplainOptions {
    std::vector<std::string> files;
    std::string flow;
    std::string request;
    std::vector<std::string> headers;
    PlanSource plan;
};

// A request's parts; the view points into them.
struct Request {
    std::string method, target, authority;
    std::vector<std::pair<std::string, std::string>> headers;

    rules::RequestView view() const {
        rules::RequestView view{.method = method, .target = target, .authority = authority, .headers = {}};
        for (const auto& [name, value] : headers) view.headers.emplace_back(name, value);
        return view;
    }
};

Error usage(const std::string& message, const std::string& hint) { return {ErrorCode::usage, message, hint}; }

Result<FlowTuple> parse_flow(const std::string& text) {
    const auto arrow = text.find('>');
    const auto client = Endpoint::parse(std::string_view(text).substr(0, arrow));
    const auto server =
        arrow == std::string::npos ? std::nullopt : Endpoint::parse(std::string_view(text).substr(arrow + 1));
    if (client && server) return FlowTuple{*client, *server};
    return usage("read, flow '" + text + "': it is not SRC:PORT>DST:PORT", "IPv6 addresses stand in brackets");
}

std::string trimmed(const std::string& text) {
    const auto begin = text.find_first_not_of(" \t");
    const auto end = text.find_last_not_of(" \t");
    return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

Result<Request> parse_request(const ExplainOptions& options) {
    const auto blank = options.request.find(' ');
    if (blank == std::string::npos || blank == 0 || trimmed(options.request.substr(blank)).empty())
        return usage("read, request '" + options.request + "': it is not 'METHOD URI'", "for example 'GET /headers'");
    Request request{options.request.substr(0, blank), trimmed(options.request.substr(blank)), {}, {}};
    for (const std::string& header : options.headers) {
        const auto colon = header.find(':');
        std::string name = trimmed(header.substr(0, colon));
        if (colon == std::string::npos || name.empty())
            return usage("read, header '" + header + "': it is not 'NAME: VALUE'", "");
        std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        std::string value = trimmed(header.substr(colon + 1));
        if (name == "host") request.authority = value;
        request.headers.emplace_back(std::move(name), std::move(value));
    }
    return request;
}

Result<rules::Plan> local_plan(Console& console, const RuleFiles& from, const std::string& socket) {
    if (!from.files.empty()) {
        auto outcome = load_files(console, from);
        return outcome ? Result<rules::Plan>(std::move(outcome->plan)) : outcome.error();
    }
    const auto answer = ask_agent(console, socket, {{"verb", "plan"}});
    if (!answer) return answer.error();
    return rules::plan_from_json(answer->value("plan", ""));
}

int run_explain(const ExplainOptions& options, Console& console) {
    std::optional<FlowTuple> flow;
    if (!options.flow.empty()) {
        const auto parsed = parse_flow(options.flow);
        if (!parsed) return report(console, parsed.error());
        flow = *parsed;
    }
    std::optional<Request> request;
    if (!options.request.empty()) {
        auto parsed = parse_request(options);
        if (!parsed) return report(console, parsed.error());
        request = std::move(*parsed);
    }
    const auto plan = options.plan(console, options.files);
    if (!plan) return report(console, plan.error());
    if (request)
        console.out << rules::explain_request(*plan, flow, request->view());
    else
        console.out << (flow ? rules::explain_flow(*plan, *flow) : rules::print_plan(*plan));
    return 0;
}

}  // namespace

CLI::App* add_explain(CLI::App& app, Action& action, PlanSource plan) {
    auto options = std::make_shared<ExplainOptions>();
    options->plan = std::move(plan);
    CLI::App* verb = app.add_subcommand(
        "explain", "print the plan, or which rule a flow or request belongs to, why, and where it is mirrored");
    add_files(*verb, options->files);
    verb->add_option("--flow", options->flow, "a connection, client first")->type_name("SRC:PORT>DST:PORT");
    CLI::Option* request =
        verb->add_option("--request", options->request, "a request's first line")->type_name("'METHOD URI'");
    verb->add_option("--header", options->headers, "a header of the request; repeatable")
        ->type_name("'NAME: VALUE'")
        ->expected(1)
        ->take_all()
        ->needs(request);
    verb->callback(
        [options, &action] { action = [options](Console& console) { return run_explain(*options, console); }; });
    return verb;
}

void setup_explain(CLI::App& app, Action& action) {
    auto socket = std::make_shared<std::string>();
    auto from = std::make_shared<RuleFiles>();
    CLI::App* verb = add_explain(app, action, [socket, from](Console& console, const std::vector<std::string>& files) {
        from->files = files;
        return local_plan(console, *from, *socket);
    });
    verb->footer(kFooter);
    add_targets(*verb, from->allow_targets, from->only_targets);
    add_socket(*verb, *socket);
}

}  // namespace umbra::cli
