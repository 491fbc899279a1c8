// The command line: one function for main() and for tests. Results go to out, everything else to err.
#pragma once

#include <iosfwd>

namespace umbra::cli {

// Returns the exit code: 0 ok, 1 failure, 2 usage, 3 invalid rules, 4 privilege missing, 5 kernel feature missing.
int run_cli(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace umbra::cli
