// What a process is and may do, as /proc says.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "control/message.h"

namespace umbra::agent {

struct ProcessInfo {
    pid_t pid = 0;
    std::string uid;
    std::string capabilities;  // in effect, hexadecimal
    std::string permitted;     // at hand, hexadecimal
    bool no_new_privs = false;
    std::string seccomp;  // "0" none, "1" strict, "2" filter
    std::string threads;
    std::uint64_t resident_bytes = 0;
};

std::optional<ProcessInfo> read_process(pid_t pid);
control::Json to_json(const ProcessInfo& info);

}  // namespace umbra::agent
