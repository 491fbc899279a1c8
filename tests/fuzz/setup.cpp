// The first message to a terminator that was not forked, and its limits. Input: how many descriptors come with it, then
// the text. It is taken whole, with a place for every descriptor, or refused.
#include "fuzz/property.h"
#include "terminator/limit_table.h"
#include "terminator/setup_message.h"

#include "umbra/abi/limits.h"

namespace umbra::fuzz {
namespace {

constexpr std::size_t kSharedDescriptors = 4, kWorkerDescriptors = 3;

void check_limits(const TerminatorOptions& options) {
    TerminatorLimits limits{options.reassembly, options.replay, options.protocol};
    for (const auto& row : list_limits(limits)) {
        require(row.value.find_first_not_of("0kMGms") != std::string::npos, "no limit is zero");
        require(static_cast<bool>(set_limit(limits, row.name + "=" + row.value)), "a limit can be written back");
    }
}

void check(std::size_t descriptors, std::string_view text) {
    std::vector<UniqueFd> fds(descriptors);
    const auto options = read_setup(text, std::move(fds));
    if (!options) {
        require(!options.error().message.empty(), "a refusal says why");
        return;
    }
    const std::size_t workers = options->workers.size();
    require(workers > 0 && workers <= UMBRA_MAX_WORKERS, "the number of workers is bounded");
    require(descriptors == kSharedDescriptors + kWorkerDescriptors * workers, "every descriptor has its place");
    check_limits(*options);
}

}  // namespace
}  // namespace umbra::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace umbra;
    fuzz::Input input(data, size);
    const std::size_t descriptors = input.u8();
    fuzz::check(descriptors, as_text(input.rest()));
    TerminatorLimits limits;
    (void)set_limit(limits, as_text(input.rest()));
    return 0;
}
