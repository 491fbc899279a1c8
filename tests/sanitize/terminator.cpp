// `umbra terminator --socket PATH` and nothing else: the process that parses hostile bytes and has the threads, for
// sanitizers. The rest of the agent need not be compiled with them.
#include <iostream>
#include <string_view>

#include "agent/remote_terminator.h"

int main(int argc, char** argv) {
    if (argc != 4 || std::string_view(argv[1]) != "terminator" || std::string_view(argv[2]) != "--socket") {
        std::cerr << "usage: terminator terminator --socket PATH\n";
        return 2;
    }
    const auto ended = umbra::agent::run_remote_terminator(argv[3], "info");
    if (!ended) std::cerr << ended.error().message << '\n';
    return ended ? 0 : 1;
}
