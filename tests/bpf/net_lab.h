// NetLab: a few network namespaces of one test, joined by veth pairs, entered one at a time by this process. They are
// anonymous: nothing is left when the test ends, however it ends.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "loader/datapath.h"

namespace umbra::test {

class NetLab {
public:
    // Null without root. The process is then in namespace "host".
    static std::unique_ptr<NetLab> make();
    ~NetLab();  // back to where the process was

    void add(const std::string& name);
    void enter(const std::string& name);
    // A veth pair: "host" gets device `name`, the other namespace "eth0" with this address (CIDR).
    void connect(const std::string& name, const std::string& other, const std::string& address);

    // Runs a command in the namespace that the process is in; a failure fails the test.
    static void sh(const std::string& command);
    static std::string output(const std::string& command);

private:
    NetLab() = default;

    UniqueFd origin_;
    std::map<std::string, UniqueFd> namespaces_;
};

// TCP with blocking sockets that live in the namespace where they were made.
class TcpPair {
public:
    TcpPair(NetLab& lab, const std::string& client_namespace, const std::string& server_namespace,
            const std::string& server);
    bool ok() const { return client_ && server_; }
    // Client to server, and as many bytes have arrived when it returns.
    void send(std::size_t bytes);
    void reply(std::size_t bytes);
    std::string client_endpoint() const;

private:
    static void transfer(int from, int to, std::size_t bytes);

    UniqueFd client_, server_;
};

// A plan with one rule "test/rule" that mirrors everything to these endpoints.
rules::Plan mirror_all(const std::vector<std::string>& origins);

// Sum of the payload bytes in what a queue delivered (each frame with its virtio header).
std::size_t payload_bytes(const std::vector<std::vector<std::uint8_t>>& frames, bool ethernet = true);

}  // namespace umbra::test
