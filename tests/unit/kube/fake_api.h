// An HTTP server on loopback that answers as the test says, each connection in a thread of its own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace umbra::kube {

struct HttpRequest {
    std::string line;     // "GET /x HTTP/1.1"
    std::string headers;  // as sent, lower-case names not assumed
    std::string body;
    int connection = 0;  // counts from 1
};

class FakeApi {
public:
    // Sends what it likes through the descriptor; false: the connection is closed.
    using Handler = std::function<bool(const HttpRequest&, int fd)>;

    explicit FakeApi(Handler handler) : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size);
        ::listen(listener_.get(), 64);
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        acceptor_ = std::thread([this] { accept_all(); });
    }
    ~FakeApi() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        acceptor_.join();
        for (const UniqueFd& one : connections_) ::shutdown(one.get(), SHUT_RDWR);
        for (std::thread& one : threads_) one.join();
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

    static void send(int fd, const std::string& bytes) { ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
    static std::string response(int status, const std::string& body, const std::string& headers = "") {
        return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers +
               "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    static std::string chunked_head() { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"; }
    static std::string chunk(const std::string& bytes) {
        char size[16];
        std::snprintf(size, sizeof(size), "%zx\r\n", bytes.size());
        return size + bytes + "\r\n";
    }

private:
    void accept_all() {
        for (int number = 1;; ++number) {
            const int fd = ::accept(listener_.get(), nullptr, nullptr);
            if (fd < 0) return;
            connections_.emplace_back(fd);
            threads_.emplace_back([this, fd, number] { serve(fd, number); });
        }
    }
    void serve(int fd, int number) {
        std::string bytes;
        HttpRequest request;
        request.connection = number;
        while (read(fd, bytes, request) && handler_(request, fd)) {
        }
        ::shutdown(fd, SHUT_RDWR);
    }
    static bool read(int fd, std::string& bytes, HttpRequest& request) {
        std::size_t end;
        while ((end = bytes.find("\r\n\r\n")) == std::string::npos) {
            if (!more(fd, bytes)) return false;
        }
        const std::string head = bytes.substr(0, end + 2);
        bytes.erase(0, end + 4);
        const auto first = head.find("\r\n");
        request.line = head.substr(0, first);
        request.headers = head.substr(first + 2);
        const auto length = request.headers.find("Content-Length: ");
        const std::size_t size = length == std::string::npos ? 0 : std::stoul(request.headers.substr(length + 16));
        while (bytes.size() < size) {
            if (!more(fd, bytes)) return false;
        }
        request.body = bytes.substr(0, size);
        bytes.erase(0, size);
        return true;
    }
    static bool more(int fd, std::string& bytes) {
        char buffer[4096];
        const ssize_t got = ::recv(fd, buffer, sizeof(buffer), 0);
        if (got > 0) bytes.append(buffer, static_cast<std::size_t>(got));
        return got > 0;
    }

    Handler handler_;
    UniqueFd listener_;
    std::uint16_t port_ = 0;
    std::thread acceptor_;
    std::list<UniqueFd> connections_;
    std::vector<std::thread> threads_;
};

}  // namespace umbra::kube
