// Wakeup: a descriptor that becomes readable when one of the watched ones does, once per arm().
// While a worker is busy it polls on a timer and stays disarmed, so that the kernel, which clones in the path of the
// primary, has nobody to wake. (Measured: waking a sleeping reader costs the sender more than the clone itself.)
#pragma once

#include <initializer_list>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace umbra {

class Wakeup {
public:
    static Result<Wakeup> make(std::initializer_list<int> watched);

    int fd() const { return epoll_.get(); }
    void arm();
    // After fd() was readable: takes note of it and disarms.
    void acknowledge();

private:
    Wakeup(UniqueFd epoll, std::vector<int> watched) : epoll_(std::move(epoll)), watched_(std::move(watched)) {}

    UniqueFd epoll_;
    std::vector<int> watched_;
};

}  // namespace umbra
