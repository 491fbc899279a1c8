// Running another program: no shell, bounded in time and in what it may say.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"

namespace umbra::cli {

struct ProcessRequest {
    std::vector<std::string> argv;  // the program is looked up in PATH
    std::string input;
    std::chrono::milliseconds timeout{60'000};
    std::size_t max_output = 256u << 20;  // of standard output; of standard error 1 MiB are kept
};

struct ProcessOutcome {
    int exit_code = 0;  // 128 + N after signal N
    std::string out, err;
};

// An Error when it could not be started, took too long or said too much; it is killed then.
Result<ProcessOutcome> run_process(const ProcessRequest& request);

}  // namespace umbra::cli
