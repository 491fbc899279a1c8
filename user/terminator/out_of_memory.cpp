#include "terminator/out_of_memory.h"

#include <sys/uio.h>
#include <unistd.h>

#include <string>

namespace umbra {

namespace {

constexpr std::string_view kHint = "raise the process' memory limit, or lower the worker's with --limit";

iovec part(std::string_view text) { return {const_cast<char*>(text.data()), text.size()}; }

}  // namespace

Error out_of_memory(std::string_view attempt) {
    return {ErrorCode::failure, std::string(attempt) + ": out of memory", std::string(kHint)};
}

void end_out_of_memory(std::string_view attempt) noexcept {
    const iovec text[] = {part("terminator: "), part(attempt), part(": out of memory; "), part(kHint), part("\n")};
    [[maybe_unused]] const auto written = ::writev(STDERR_FILENO, text, std::size(text));
    ::_exit(1);
}

}  // namespace umbra
