// Connection: one non-blocking TCP connection to a mirror endpoint, plain or through TLS. Reads and writes go straight
// to the socket, Asio only says when. Knows no protocol; a lane owns it and hears its events. Handlers that are still
// queued keep the object alive after close() but reach nobody.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/ledger.h"
#include "net/ip_address.h"
#include "replay/asio.h"
#include "replay/io_result.h"
#include "replay/router.h"
#include "replay/tls_stream.h"

struct iovec;

namespace umbra {

class ConnectionEvents {
public:
    virtual ~ConnectionEvents() = default;
    virtual void on_connected() = 0;
    virtual void on_connect_failed(Reason reason) = 0;
    virtual void on_readable() = 0;
    virtual void on_writable() = 0;
    virtual void on_tick() = 0;
    // No request depends on the connection and it may be closed to make room.
    virtual bool idle() const = 0;
    virtual void on_evicted() = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
public:
    struct Settings {
        Endpoint endpoint;
        OwnConnections* guard = nullptr;       // null: nobody is told
        std::shared_ptr<TlsContext> tls = {};  // null: plain
        std::string server_name = {};          // of tls_server_name(); empty: the endpoint's address
        Alpn alpn = Alpn::none;
        std::string preamble = {};  // sent first of all, before TLS: the PROXY protocol's header
    };
    Connection(asio::io_context& io, ConnectionEvents& owner, const Settings& settings);
    ~Connection() { close(false); }

    // Null: the attempt is under way or done; on_connected() or on_connect_failed() follows, never from this call.
    // With TLS a connection is connected when its peer is verified; else it fails as Reason::tls_failed.
    std::optional<Reason> start();
    // reset: the peer must not take what it got for complete.
    void close(bool reset);

    bool connected() const { return connected_; }
    bool write_blocked() const { return waiting_write_; }
    const Endpoint& endpoint() const { return settings_.endpoint; }
    ConnectionEvents* owner() const { return owner_; }
    // Null without TLS, and until TCP is connected.
    const TlsStream* tls() const { return tls_.get(); }

    IoResult write(std::span<const iovec> parts);
    IoResult read(std::span<std::byte> into);
    // Throws received bytes away, inside the kernel if they are plain.
    IoResult discard(std::size_t most);
    // True if nothing waits to be read and the peer has not ended the connection.
    bool quiet();
    void finish_writing();
    void wait_readable();
    void wait_writable();

    std::size_t list_index = 0;  // of ConnectionList

private:
    void close_socket(bool reset);
    void connect_finished();
    bool send_preamble();
    void handshake();
    void established();
    void read_soon();
    void readable();
    void writable();

    asio::ip::tcp::socket socket_;
    ConnectionEvents* owner_;
    const Settings settings_;
    FlowTuple tuple_;
    std::unique_ptr<TlsStream> tls_;
    bool guarded_ = false;
    bool connected_ = false;
    bool waiting_read_ = false;
    bool waiting_write_ = false;
};

}  // namespace umbra
