// One message with descriptors (SCM_RIGHTS) over a SOCK_SEQPACKET channel, as plans, setups and take-overs travel.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace umbra {

inline constexpr std::size_t kMaxMessageDescriptors = 253;  // SCM_MAX_FD of the kernel
inline constexpr std::size_t kMaxMessageText = 64 << 10;

struct DescriptorMessage {
    std::string text;  // empty: the other end has closed
    std::vector<UniqueFd> fds;
};

// what: names the message in errors. Never blocks; the descriptors stay the caller's.
Result<void> send_message(int channel, const std::string& text, const std::vector<int>& fds, const std::string& what);
// Blocks. A message that does not fit is an error.
Result<DescriptorMessage> receive_message(int channel, const std::string& what);

}  // namespace umbra
