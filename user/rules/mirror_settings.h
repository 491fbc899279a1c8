// MirrorSettings: what a MirrorPolicy says of one mirror. A default one is a mirror without a policy. Plain values
// that the plan carries to the terminator; replay and edit read them. Zero in a limit or a timeout: the agent's own.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace umbra::rules {

// What the flows of a rule speak. automatic: their first bytes decide.
enum class Protocol : std::uint8_t { automatic, http1, http2, raw };

// What a mirror's percentage counts. flow: whole connections, by the hash that the kernel uses; request: each by
// itself; header: all requests with the same value of `header` alike, those without it as one value.
struct Sampling {
    enum class By : std::uint8_t { flow, request, header };
    By by = By::flow;
    std::string header;  // lower case
    bool operator==(const Sampling&) const = default;
};

// The Host that the mirror sees: the client's, with "-shadow" before the port, or a literal.
enum class HostPolicy : std::uint8_t { keep, shadow, literal };

struct HeaderEdits {
    std::vector<std::pair<std::string, std::string>> set;  // replaces all of that name; names in lower case
    std::vector<std::pair<std::string, std::string>> add;
    std::vector<std::string> remove;
    bool operator==(const HeaderEdits&) const = default;
};

// One secret that the mirror must not see as it is. hash: "sha256:" and 16 hex digits of it, equal for equal values.
struct RedactedItem {
    enum class Action : std::uint8_t { drop, hash, replace };
    std::string name;  // of a header: lower case
    Action action = Action::drop;
    std::string replacement;
    bool operator==(const RedactedItem&) const = default;
};

struct Redaction {
    std::vector<RedactedItem> headers;
    std::vector<RedactedItem> query;  // parameters of the target's query
    bool empty() const { return headers.empty() && query.empty(); }
    bool operator==(const Redaction&) const = default;
};

// How the mirror learns the client's address.
enum class ClientAddress : std::uint8_t { hidden, forwarded_for, proxy_v2 };

// TLS from the terminator to the mirror. Verification is on unless it is switched off by name.
struct TlsOrigination {
    bool on = false;
    bool verify = true;
    std::string server_name;  // SNI and the name to verify; empty: the Host, without a port
    std::string ca_file;      // empty: the system's
    bool operator==(const TlsOrigination&) const = default;
};

// Which endpoint of the mirror a new connection goes to.
enum class Balance : std::uint8_t { round_robin, least_outstanding, client_hash };

// connection: a connection of its own for each client connection, requests in the client's order.
// request: requests go to any free connection of a pool, each without waiting for the client's others.
enum class Order : std::uint8_t { connection, request };

// Of one mirror, per worker. Past them requests are shed and counted.
struct MirrorLimits {
    std::uint32_t connections = 0;
    std::uint32_t in_flight = 0;  // requests sent and not answered
    std::uint64_t queued_bytes = 0;
    std::uint64_t bytes_per_second = 0;
    bool operator==(const MirrorLimits&) const = default;
};

struct MirrorTimeouts {
    TimeNs connect = 0;
    TimeNs response = 0;
    TimeNs idle = 0;
    bool operator==(const MirrorTimeouts&) const = default;
};

struct MirrorSettings {
    Sampling sampling;
    HostPolicy host = HostPolicy::keep;
    std::string host_literal;
    HeaderEdits headers;
    std::string request_id_header;  // lower case; empty: none. The client's own id is kept, a missing one is made
    std::string marker_header;      // lower case; empty: none
    std::string marker_value;
    Redaction redaction;
    ClientAddress client_address = ClientAddress::hidden;
    TlsOrigination tls;
    bool safe_methods_only = false;  // GET, HEAD, OPTIONS, TRACE
    Balance balance = Balance::round_robin;
    Order order = Order::connection;
    MirrorLimits limits;
    MirrorTimeouts timeouts;
    bool operator==(const MirrorSettings&) const = default;
};

}  // namespace umbra::rules
