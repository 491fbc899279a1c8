#include <memory>
#include <ostream>

#include "cli/command.h"
#include "rules/listing.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter = R"(Examples:
  umbra check -f rules/
  kubectl get svc,pods -o yaml | umbra check -f - -f rule.yaml)";

int run_check(const RuleFiles& files, Console& console) {
    const auto outcome = load_files(console, files);
    if (!outcome) return report(console, outcome.error());
    print_checked(console, outcome->plan);
    return 0;
}

}  // namespace

void print_checked(Console& console, const rules::Plan& plan) {
    const auto rows = rules::list_rules(plan);
    console.out << "ok: " << rows.size() << (rows.size() == 1 ? " rule, " : " rules, ") << plan.origins.size()
                << (plan.origins.size() == 1 ? " endpoint" : " endpoints") << " to mirror\n";
    for (const auto& row : rows) console.out << "  " << row.key << ": " << row.status << "\n";
}

void setup_check(CLI::App& app, Action& action) {
    auto files = std::make_shared<RuleFiles>();
    CLI::App* verb = app.add_subcommand("check", "parse, validate, resolve and compile rules; needs no root, no agent");
    verb->footer(kFooter);
    add_files(*verb, files->files)->required();
    add_targets(*verb, files->allow_targets, files->only_targets);
    verb->callback([files, &action] { action = [files](Console& console) { return run_check(*files, console); }; });
}

}  // namespace umbra::cli
