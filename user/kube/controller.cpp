#include "kube/controller.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "kube/controller_loop.h"

namespace umbra::kube {

namespace {

Error failed(const std::string& attempt) { return {ErrorCode::failure, attempt + ": " + std::strerror(errno)}; }

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

Result<UniqueFd> take_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t wanted;
    ::sigemptyset(&wanted);
    ::sigaddset(&wanted, SIGTERM);
    ::sigaddset(&wanted, SIGINT);
    if (::pthread_sigmask(SIG_BLOCK, &wanted, nullptr) != 0) return failed("block, signals");
    UniqueFd signals(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals) return failed("receive, signals");
    return signals;
}

void log_to_standard_error(const std::string& level) {
    auto logger = std::make_shared<spdlog::logger>("umbra", std::make_shared<spdlog::sinks::stderr_sink_st>());
    logger->set_level(spdlog::level::from_str(level));
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l controller %v", spdlog::pattern_time_type::utc);
    logger->flush_on(spdlog::level::debug);
    spdlog::set_default_logger(std::move(logger));
}

}  // namespace

Result<void> confine_controller() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("give up, new privileges");
    const rlimit no_core{0, 0};
    if (::setrlimit(RLIMIT_CORE, &no_core) != 0) return failed("limit, core files");
    return ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? Result<void>() : failed("make undumpable, process");
}

Result<void> run_controller(const ControllerOptions& given) {
    ControllerOptions options = given;
    log_to_standard_error(options.log_level);
    if (auto confined = confine_controller(); !confined) return confined;
    auto signals = take_signals();
    if (!signals) return signals.error();
    if (options.node.empty()) options.node = process_environment("NODE_NAME");
    if (options.node.empty()) options.node = host_name();
    auto loop = ControllerLoop::make(options);
    if (!loop) return loop.error();
    return (*loop)->run(signals->get());
}

}  // namespace umbra::kube
