// Questions about a trace that explanations ask.
#pragma once

#include "differential/oracle.h"
#include "flow/decode.h"

namespace umbra::differential {

class TraceView {
public:
    TraceView(const Script& script, const Trace& trace);

    bool has_reset() const { return client_reset() || server_reset(); }
    bool client_reset() const { return count_flag(kRst) > 0; }
    bool server_reset() const;
    // Client packets with this flag.
    int count_flag(int flag) const;
    // The server acknowledged `wanted` bytes of a connection, or more, as far as the application read.
    bool acknowledged_beyond(std::size_t wanted, const Connection& theirs) const;
    // Two packets say different things of the byte at this place.
    bool contradicted(int at) const;
    // Some packet has bytes that are not the client's true ones.
    bool contradicts() const;
    // The farthest byte from the connection's first one.
    int ahead() const;
    // Bare ACKs, which are not cloned, carry timestamps that no cloned packet has.
    bool bare_timestamps() const;
    // A RST that came while nothing but bare ACKs, or nothing at all, had followed the SYN.
    bool bare_reset() const;
    bool reset_before_syn() const;
    bool syn_has_data() const;
    // Some SYN brought this many bytes.
    bool syn_brought(int length) const;
    // The client sent a timestamp or an ACK number that is not the usual one.
    bool refusable() const;
    // Bytes behind a FIN, or FINs at two places.
    bool fin_contradicted() const;
    bool different_syns() const;
    bool malformed_options() const;
    bool neighbouring_syns() const;
    bool old_reset() const;
    bool same_isn_again() const;
    bool next_connection_early() const;

private:
    // Whose bytes the application read.
    int connection_of(const Connection& theirs) const;

    struct Packet {
        bool from_client = false;
        const Step* step = nullptr;
        TcpPacket tcp;
    };

    const Script& script_;
    std::vector<Packet> packets_;
};

}  // namespace umbra::differential
