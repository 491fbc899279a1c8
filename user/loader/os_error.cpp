#include "loader/os_error.h"

#include <cerrno>
#include <cstring>

namespace umbra::loader {

Error os_error(const std::string& attempt, int error_number) {
    const int number = error_number < 0 ? -error_number : error_number;
    Error error{ErrorCode::failure, attempt + ": " + std::strerror(number)};
    if (number == EPERM || number == EACCES) {
        error.code = ErrorCode::privilege;
        error.hint = "run as root, or with CAP_BPF and CAP_NET_ADMIN";
    } else if (number == ENOSYS || number == EOPNOTSUPP || number == EPROTONOSUPPORT) {
        error.code = ErrorCode::unsupported;
        error.hint = "the kernel lacks a feature that Umbra needs: BPF, tc classifiers and TUN from Linux 5.10 on";
    }
    return error;
}

}  // namespace umbra::loader
