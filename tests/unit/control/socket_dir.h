// A directory for sockets and raw clients that do not keep to the protocol.
#pragma once

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/unique_fd.h"
#include "control/address.h"
#include "control/frame.h"

namespace umbra::control {

class SocketDir {
public:
    SocketDir() {
        char name[] = "/tmp/umbra-control-XXXXXX";
        directory_ = ::mkdtemp(name);
    }
    ~SocketDir() { std::filesystem::remove_all(directory_); }
    std::string path(const std::string& name = "s.sock") const { return directory_ + "/" + name; }

private:
    std::string directory_;
};

class RawClient {
public:
    explicit RawClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const auto address = unix_address(path);
        const timeval limit{10, 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        connected_ = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) == 0;
    }
    bool connected() const { return connected_; }
    void send(const std::string& bytes) { ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
    void send_frame(const std::string& body) {
        const auto header = frame_header(body.size());
        send(std::string(header.begin(), header.end()) + body);
    }
    // Everything until the end; the JSON of one response without its header.
    std::string receive_all() {
        std::string all;
        char buffer[4096];
        for (ssize_t got; (got = ::recv(fd_.get(), buffer, sizeof(buffer), 0)) > 0;)
            all.append(buffer, static_cast<std::size_t>(got));
        return all.size() >= 4 ? all.substr(4) : all;
    }
    void close() { fd_.reset(); }

private:
    UniqueFd fd_;
    bool connected_ = false;
};

}  // namespace umbra::control
