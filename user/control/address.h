// The address of a Unix socket, checked.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "base/result.h"

namespace umbra::control {

inline constexpr const char* kDefaultSocket = "/run/umbra/umbra.sock";

inline Result<sockaddr_un> unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
        return Error{ErrorCode::usage, "use socket, '" + path + "': the path must have 1 to " +
                                           std::to_string(sizeof(address.sun_path) - 1) + " characters"};
    }
    path.copy(address.sun_path, path.size());
    return address;
}

}  // namespace umbra::control
