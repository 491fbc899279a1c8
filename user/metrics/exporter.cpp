#include "metrics/exporter.h"

#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <asio/signal_set.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "metrics/http_server.h"
#include "metrics/pages.h"

namespace umbra::metrics {

namespace {

Result<void> harden() {
    const auto failed = [](const std::string& attempt) {
        return Error{ErrorCode::failure, attempt + ": " + std::strerror(errno)};
    };
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("give up, new privileges");
    const rlimit no_core{0, 0};
    if (::setrlimit(RLIMIT_CORE, &no_core) != 0) return failed("limit, core files");
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("make undumpable, process");
    return {};
}

// A process that was forked may have inherited them blocked.
void unblock_signals() {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    ::pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);
}

}  // namespace

Result<void> run_exporter(const ExporterOptions& options) {
    const auto at = Endpoint::parse(options.listen);
    if (!at) {
        return Error{ErrorCode::usage, "listen, '" + options.listen + "': this is no ADDRESS:PORT",
                     "for example 127.0.0.1:9464 or [::1]:9464"};
    }
    if (auto hardened = harden(); !hardened) return hardened;
    asio::io_context io(1);
    asio::signal_set ends(io, SIGTERM, SIGINT);
    unblock_signals();
    ends.async_wait([&io](const asio::error_code&, int) { io.stop(); });

    AgentReader reader(io, ask_at(options.socket));
    auto server = HttpServer::listen(io, *at, make_pages(reader));
    if (!server) return server.error();
    spdlog::info("ready: metrics and probes on {}", Endpoint{at->address, (*server)->port()}.to_string());
    io.run();
    return {};
}

}  // namespace umbra::metrics
