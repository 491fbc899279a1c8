#include "agent/process_info.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace umbra::agent {

std::optional<ProcessInfo> read_process(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    if (!status) return std::nullopt;
    ProcessInfo info;
    info.pid = pid;
    for (std::string line; std::getline(status, line);) {
        std::istringstream words(line);
        std::string name, value, effective;
        words >> name >> value >> effective;
        if (name == "Uid:") info.uid = effective;
        if (name == "CapEff:") info.capabilities = value;
        if (name == "CapPrm:") info.permitted = value;
        if (name == "NoNewPrivs:") info.no_new_privs = value == "1";
        if (name == "Seccomp:") info.seccomp = value;
        if (name == "Threads:") info.threads = value;
        if (name == "VmRSS:") info.resident_bytes = std::strtoull(value.c_str(), nullptr, 10) * 1024;
    }
    return info;
}

control::Json to_json(const ProcessInfo& info) {
    return {{"pid", info.pid},
            {"uid", info.uid},
            {"capabilities", info.capabilities},
            {"permitted", info.permitted},
            {"no_new_privs", info.no_new_privs},
            {"seccomp", info.seccomp},
            {"threads", info.threads},
            {"resident_bytes", info.resident_bytes}};
}

}  // namespace umbra::agent
