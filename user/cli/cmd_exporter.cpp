#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "cli/command.h"
#include "metrics/exporter.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter =
    R"(Serves /metrics (Prometheus), /healthz (does the agent answer?) and /readyz (are rules in force?). It needs no
privilege but reading the agent's control socket, and ends on SIGTERM and SIGINT.

Examples:
  umbra exporter
  umbra exporter --listen 127.0.0.1:9464 --socket /run/umbra/umbra.sock)";

void log_to_standard_error() {
    auto logger = std::make_shared<spdlog::logger>("umbra", std::make_shared<spdlog::sinks::stderr_sink_st>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

int run_exporter_verb(const metrics::ExporterOptions& options, Console& console) {
    log_to_standard_error();
    const auto ended = metrics::run_exporter(options);
    return ended ? 0 : report(console, ended.error());
}

}  // namespace

void setup_exporter(CLI::App& app, Action& action) {
    auto options = std::make_shared<metrics::ExporterOptions>();
    CLI::App* verb = app.add_subcommand("exporter", "serve the running agent's metrics and health over HTTP");
    verb->footer(kFooter);
    verb->add_option("--listen", options->listen, "where to listen")->type_name("ADDR:PORT")->capture_default_str();
    add_socket(*verb, options->socket);
    verb->callback(
        [options, &action] { action = [options](Console& console) { return run_exporter_verb(*options, console); }; });
}

}  // namespace umbra::cli
