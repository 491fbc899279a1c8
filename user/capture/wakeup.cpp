#include "capture/wakeup.h"

#include <sys/epoll.h>

#include <cerrno>
#include <cstring>

namespace umbra {

namespace {

int control(int epoll, int operation, int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    return ::epoll_ctl(epoll, operation, fd, &event);
}

}  // namespace

Result<Wakeup> Wakeup::make(std::initializer_list<int> watched) {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return Error{ErrorCode::failure, std::string("create epoll: ") + std::strerror(errno), {}};
    for (const int fd : watched)
        if (control(epoll.get(), EPOLL_CTL_ADD, fd, EPOLLONESHOT) != 0)
            return Error{ErrorCode::failure, std::string("watch capture descriptor: ") + std::strerror(errno), {}};
    return Wakeup(std::move(epoll), watched);
}

void Wakeup::arm() {
    for (const int fd : watched_) control(epoll_.get(), EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT);
}

void Wakeup::acknowledge() {
    epoll_event events[8];
    ::epoll_wait(epoll_.get(), events, 8, 0);
    for (const int fd : watched_) control(epoll_.get(), EPOLL_CTL_MOD, fd, EPOLLONESHOT);
}

}  // namespace umbra
