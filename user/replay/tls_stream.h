// TlsStream: TLS on a connected non-blocking socket, with the contracts of Connection's reads and writes. Knows no
// event loop: says what it waits for. Bytes that write() took are either with the socket or kept here (one record at
// most) until flush(); so the caller may come back with any other buffers, as with a socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "net/ip_address.h"
#include "replay/io_result.h"

struct iovec;
struct ssl_st;

namespace umbra {

class TlsContext;

// What is offered by ALPN. http2 is required of the peer, http1 is not.
enum class Alpn : std::uint8_t { none, http1, http2 };

class TlsStream {
public:
    struct Peer {
        Endpoint endpoint;
        std::string server_name;  // to ask for and verify: a DNS name or an IP address
        Alpn alpn = Alpn::none;
    };
    enum class Handshake : std::uint8_t { done, wants_read, wants_write, failed };

    TlsStream(std::shared_ptr<TlsContext> context, int fd, Peer peer);
    ~TlsStream();
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    // done: the peer is verified. Again when the socket is ready as wanted.
    Handshake handshake();

    // After the handshake.
    IoResult write(std::span<const iovec> parts);
    // done: nothing that write() or finish_writing() left waits for the socket, and write() will take bytes.
    IoResult::Kind flush();
    bool unsent() const { return !unsent_.empty() || (finish_wanted_ && !finished_); }
    // A message of the handshake's kind is half read: writing goes on when the socket is readable.
    bool write_wants_read() const;
    IoResult read(std::span<std::byte> into);
    IoResult discard(std::size_t most);
    bool read_wants_write() const { return read_wants_write_; }
    // Reading may bring something although the socket is not readable.
    bool readable_now() const { return established_ && (end_ || !drained_); }
    bool quiet();
    // Sends close_notify, behind what is unsent.
    void finish_writing();
    // False: the peer has not got everything, the connection must be reset.
    bool close();

    const std::string& alpn() const { return alpn_; }
    bool resumed() const;
    // Why it failed, for people; empty: it did not. Holds no secrets.
    const std::string& error() const { return error_; }

private:
    struct Free {
        void operator()(ssl_st* ssl) const;
    };

    bool set_up(int fd);
    bool set_identity();
    Handshake established();
    Handshake fail_handshake(const std::string& cause);
    bool send_record(Bytes bytes);
    void send_close_notify();
    void reading_stopped(int result);
    void broke(int ssl_error);

    std::shared_ptr<TlsContext> context_;
    const Peer peer_;
    const std::string session_key_;
    std::unique_ptr<ssl_st, Free> ssl_;
    std::vector<std::byte> unsent_;
    std::optional<IoResult::Kind> end_;  // of reading: closed or reset
    std::string alpn_;
    std::string error_;
    bool established_ = false;
    bool broken_ = false;  // OpenSSL must not be asked any more
    bool drained_ = false;
    bool read_wants_write_ = false;
    bool finish_wanted_ = false;
    bool finished_ = false;
};

}  // namespace umbra
