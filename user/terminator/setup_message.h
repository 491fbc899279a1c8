// The first message to a terminator that the loader did not fork: everything of TerminatorOptions, the descriptors by
// SCM_RIGHTS, over the SOCK_SEQPACKET connection that becomes its channel. Both ends are of the same version.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "terminator/terminator.h"

namespace umbra {

// The descriptors stay the caller's.
Result<void> send_setup(int channel, const TerminatorOptions& options);
// The message's text and descriptors; the options' channel stays empty.
Result<TerminatorOptions> read_setup(std::string_view text, std::vector<UniqueFd> fds);
// The channel becomes the options' own.
Result<TerminatorOptions> receive_setup(UniqueFd channel);

// What the terminator answers: who it is, as text.
Result<void> acknowledge_setup(int channel, const std::string& identity);
Result<std::string> read_setup_answer(int channel);

}  // namespace umbra
