#include "control/listener.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "control/address.h"
#include "control/frame.h"

namespace umbra::control {

namespace {

Error failed(const std::string& attempt, const std::string& path, int number) {
    const bool denied = number == EACCES || number == EPERM || number == EROFS;
    return {denied ? ErrorCode::privilege : ErrorCode::failure, attempt + ", '" + path + "': " + std::strerror(number),
            denied ? "run as root, or choose another path with --socket" : ""};
}

class Umask {
public:
    explicit Umask(mode_t mask) : previous_(::umask(mask)) {}
    ~Umask() { ::umask(previous_); }
    Umask(const Umask&) = delete;
    Umask& operator=(const Umask&) = delete;

private:
    mode_t previous_;
};

void give_to_group(const std::string& path, std::optional<gid_t> group) {
    // Without the right to do so the file stays root's alone, which is the safe side.
    if (group && ::lchown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) errno = 0;
}

// Held while a stale file is replaced, so that two agents that start at once do not both take the place.
Result<UniqueFd> lock_directory(const std::string& directory) {
    UniqueFd lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock) return failed("open, directory", directory, errno);
    for (int attempt = 0; attempt < 50; ++attempt) {
        if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
        ::poll(nullptr, 0, 20);
    }
    return failed("lock, directory", directory, errno);
}

Result<void> make_directory(const std::string& directory, std::optional<gid_t> readers) {
    const Umask mask(0027);
    if (::mkdir(directory.c_str(), 0750) == 0)
        give_to_group(directory, readers);
    else if (errno != EEXIST)
        return failed("make, directory", directory, errno);
    return {};
}

// Only a socket that nobody listens on is removed.
Result<void> remove_stale(const std::string& path, const sockaddr_un& address, int type) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return errno == ENOENT ? Result<void>() : failed("look at", path, errno);
    if (!S_ISSOCK(status.st_mode)) {
        return Error{ErrorCode::failure, "listen on '" + path + "': a file that is no socket is in the way",
                     "remove it, or choose another path with --socket"};
    }
    const UniqueFd probe(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!probe) return failed("open socket for", path, errno);
    const int result = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    if (result == 0 || errno != ECONNREFUSED) {
        return Error{ErrorCode::failure, "listen on '" + path + "': another agent is listening on it",
                     "stop that agent, or choose another path with --socket"};
    }
    return ::unlink(path.c_str()) == 0 ? Result<void>() : failed("remove stale socket", path, errno);
}

}  // namespace

Result<Listener> Listener::bind(const std::string& path, std::optional<gid_t> readers, int type) {
    const auto address = unix_address(path);
    if (!address) return address.error();
    const std::string parent = std::filesystem::path(path).parent_path().string();
    const std::string directory = parent.empty() ? "." : parent;
    if (auto made = make_directory(directory, readers); !made) return made.error();
    const auto lock = lock_directory(directory);
    if (!lock) return lock.error();
    if (auto removed = remove_stale(path, *address, type); !removed) return removed.error();

    UniqueFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return failed("open socket for", path, errno);
    const Umask mask(0117);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0)
        return failed("bind", path, errno);
    Listener listener(path, std::move(socket));
    give_to_group(path, readers);
    if (::listen(listener.fd(), static_cast<int>(kMaxClients)) != 0) return failed("listen on", path, errno);
    return listener;
}

Result<Listener> Listener::adopt(const std::string& path, UniqueFd socket, int type) {
    const auto option = [&socket](int name) {
        int value = -1;
        socklen_t size = sizeof(value);
        return ::getsockopt(socket.get(), SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
    };
    if (option(SO_DOMAIN) != AF_UNIX || option(SO_TYPE) != type || option(SO_ACCEPTCONN) != 1)
        return Error{ErrorCode::failure, "take over '" + path + "': what was handed over does not listen there"};
    Listener listener(path, std::move(socket));
    listener.leave_file();
    return listener;
}

Listener::Listener(std::string path, UniqueFd socket) : path_(std::move(path)), socket_(std::move(socket)) {
    struct stat status {};
    if (::lstat(path_.c_str(), &status) == 0) inode_ = status.st_ino;
}

Listener::~Listener() {
    struct stat status {};
    if (owns_file_ && ::lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace umbra::control
