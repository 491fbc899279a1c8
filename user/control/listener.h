// Listener: the control socket's file, bound and listening. It takes the place of a dead agent's file and refuses that
// of a living one. The file goes with the object. Who is served is decided by server.h.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"

namespace umbra::control {

class Listener {
public:
    // Makes the directory (0750) if it is missing. readers: the group that may connect.
    // type: SOCK_STREAM or SOCK_SEQPACKET.
    static Result<Listener> bind(const std::string& path, std::optional<gid_t> readers, int type = SOCK_STREAM);
    // A socket that another process has bound to the path and shares. The file stays that one's until take_file().
    static Result<Listener> adopt(const std::string& path, UniqueFd socket, int type = SOCK_STREAM);
    Listener(Listener&& other) noexcept
        : path_(std::move(other.path_)),
          inode_(other.inode_),
          owns_file_(std::exchange(other.owns_file_, false)),
          socket_(std::move(other.socket_)) {}
    Listener& operator=(Listener&&) = delete;
    ~Listener();

    int fd() const { return socket_.get(); }
    const std::string& path() const { return path_; }
    // Whether the file goes with this object.
    void take_file() { owns_file_ = true; }
    void leave_file() { owns_file_ = false; }

private:
    Listener(std::string path, UniqueFd socket);

    std::string path_;
    ino_t inode_ = 0;
    bool owns_file_ = true;
    UniqueFd socket_;
};

}  // namespace umbra::control
