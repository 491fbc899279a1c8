#include <ostream>

#include "cli/command.h"

#include "umbra/abi/version.h"

namespace umbra::cli {

void setup_version(CLI::App& app, Action& action) {
    CLI::App* verb = app.add_subcommand("version", "the version of this program");
    verb->callback([&action] {
        action = [](Console& console) {
            console.out << "umbra " << UMBRA_VERSION << " (kernel contract " << UMBRA_ABI_VERSION << ")\n";
            return 0;
        };
    });
}

}  // namespace umbra::cli
