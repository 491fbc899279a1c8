#include "replay/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "replay/tls_bio.h"
#include "replay/tls_context.h"
#include "replay/tls_error.h"

namespace umbra {

namespace {

constexpr std::string_view kAlpnHttp1{"\x08http/1.1"};
constexpr std::string_view kAlpnHttp2{"\x02h2"};

// Fills `into` from the parts, and goes on where it stopped.
class Gather {
public:
    explicit Gather(std::span<const iovec> parts) : parts_(parts) {}
    Bytes next(std::span<std::byte> into) {
        std::size_t filled = 0;
        while (filled < into.size() && !parts_.empty()) {
            const iovec& part = parts_.front();
            const std::size_t count = std::min(into.size() - filled, part.iov_len - offset_);
            if (count > 0)
                std::memcpy(into.data() + filled, static_cast<const std::byte*>(part.iov_base) + offset_, count);
            filled += count;
            offset_ += count;
            if (offset_ < part.iov_len) break;
            parts_ = parts_.subspan(1);
            offset_ = 0;
        }
        return into.first(filled);
    }

private:
    std::span<const iovec> parts_;
    std::size_t offset_ = 0;  // into the first
};

}  // namespace

void TlsStream::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsStream::TlsStream(std::shared_ptr<TlsContext> context, int fd, Peer peer)
    : context_(std::move(context)),
      peer_(std::move(peer)),
      session_key_(peer_.server_name + ' ' + peer_.endpoint.to_string()),
      ssl_(SSL_new(context_->get())) {
    broken_ = !ssl_ || !set_up(fd);
    if (!broken_) context_->resume(ssl_.get(), session_key_);
}

// OpenSSL would call a session unusable whose connection ended without close_notify; ours often do, by our own choice.
TlsStream::~TlsStream() {
    if (ssl_ && established_ && !broken_) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

bool TlsStream::set_up(int fd) {
    BIO* bio = make_socket_bio(fd);
    if (!bio) return false;
    SSL_set_bio(ssl_.get(), bio, bio);
    if (peer_.alpn != Alpn::none) {
        const std::string_view offer = peer_.alpn == Alpn::http2 ? kAlpnHttp2 : kAlpnHttp1;
        const auto* bytes = reinterpret_cast<const unsigned char*>(offer.data());
        if (SSL_set_alpn_protos(ssl_.get(), bytes, static_cast<unsigned>(offer.size())) != 0) return false;
    }
    return set_identity();
}

// An address is verified as one and, by the standard, not asked for by SNI.
bool TlsStream::set_identity() {
    if (IpAddress::parse(peer_.server_name)) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), peer_.server_name.c_str()) == 1;
    }
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl_.get(), peer_.server_name.c_str()) == 1 &&
           SSL_set_tlsext_host_name(ssl_.get(), peer_.server_name.c_str()) == 1;
}

TlsStream::Handshake TlsStream::handshake() {
    if (broken_) return fail_handshake("it cannot be prepared for this name");
    ERR_clear_error();
    errno = 0;
    const int result = SSL_connect(ssl_.get());
    if (result == 1) return established();
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ) return Handshake::wants_read;
    if (error == SSL_ERROR_WANT_WRITE) return Handshake::wants_write;
    return fail_handshake(describe_tls_error(ssl_.get(), error, peer_.server_name));
}

TlsStream::Handshake TlsStream::established() {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    alpn_.assign(reinterpret_cast<const char*>(name), size);
    if (peer_.alpn == Alpn::http2 && alpn_ != "h2") return fail_handshake("the peer does not speak HTTP/2 (ALPN h2)");
    established_ = true;
    return Handshake::done;
}

TlsStream::Handshake TlsStream::fail_handshake(const std::string& cause) {
    error_ = "TLS handshake with " + peer_.endpoint.to_string() + " as " + peer_.server_name + ": " + cause;
    context_->set_last_failure(error_);
    context_->forget(session_key_);
    broken_ = true;
    return Handshake::failed;
}

bool TlsStream::resumed() const { return established_ && SSL_session_reused(ssl_.get()) == 1; }

void TlsStream::broke(int ssl_error) {
    error_ =
        "TLS with " + peer_.endpoint.to_string() + ": " + describe_tls_error(ssl_.get(), ssl_error, peer_.server_name);
    context_->set_last_failure(error_);
    broken_ = true;
    end_ = IoResult::Kind::reset;
}

bool TlsStream::write_wants_read() const { return established_ && !broken_ && SSL_in_init(ssl_.get()) == 1; }

// False: the connection is broken. Otherwise all bytes are taken.
bool TlsStream::send_record(Bytes bytes) {
    while (!bytes.empty()) {
        ERR_clear_error();
        errno = 0;
        const int result = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
        if (result > 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(result));
            continue;
        }
        const int error = SSL_get_error(ssl_.get(), result);
        if (error == SSL_ERROR_WANT_WRITE) {
            unsent_.assign(bytes.begin(), bytes.end());
            return true;
        }
        broke(error);
        return false;
    }
    return true;
}

// SSL_write is not called while it would read (write_wants_read): what it took from the socket would be missed by
// those who wait for the socket.
IoResult::Kind TlsStream::flush() {
    if (broken_) return IoResult::Kind::reset;
    if (write_wants_read()) return IoResult::Kind::blocked;
    if (!unsent_.empty()) {
        const std::vector<std::byte> again = std::exchange(unsent_, {});
        if (!send_record(again)) return IoResult::Kind::reset;
    }
    if (unsent_.empty() && finish_wanted_ && !finished_) send_close_notify();
    if (broken_) return IoResult::Kind::reset;
    return unsent() ? IoResult::Kind::blocked : IoResult::Kind::done;
}

IoResult TlsStream::write(std::span<const iovec> parts) {
    if (const auto state = flush(); state != IoResult::Kind::done) return {state, 0};
    Gather gather(parts);
    std::size_t taken = 0;
    while (unsent_.empty()) {
        const Bytes record = gather.next(context_->scratch());
        if (record.empty()) break;
        if (!send_record(record)) return {IoResult::Kind::reset, 0};
        taken += record.size();
    }
    return {IoResult::Kind::done, taken};
}

void TlsStream::reading_stopped(int result) {
    const int error = SSL_get_error(ssl_.get(), result);
    read_wants_write_ = error == SSL_ERROR_WANT_WRITE;
    if (read_wants_write_ || error == SSL_ERROR_WANT_READ) return;
    if (error != SSL_ERROR_ZERO_RETURN) return broke(error);
    end_ = IoResult::Kind::closed;
}

// Until `into` is full or nothing is left: a short count means as much as with a socket.
IoResult TlsStream::read(std::span<std::byte> into) {
    std::size_t got = 0;
    while (!end_ && got < into.size()) {
        ERR_clear_error();
        errno = 0;
        const int result = SSL_read(ssl_.get(), into.data() + got, static_cast<int>(into.size() - got));
        if (result <= 0) {
            reading_stopped(result);
            break;
        }
        got += static_cast<std::size_t>(result);
    }
    drained_ = got < into.size();
    if (got > 0) return {IoResult::Kind::done, got};
    return {end_.value_or(IoResult::Kind::blocked), 0};
}

IoResult TlsStream::discard(std::size_t most) {
    const auto scratch = context_->scratch();
    return read(scratch.first(std::min(most, scratch.size())));
}

// Session tickets are no response. The beginning of a record may be one.
bool TlsStream::quiet() {
    if (end_) return false;
    std::byte one;
    ERR_clear_error();
    errno = 0;
    const int result = SSL_peek(ssl_.get(), &one, 1);
    drained_ = result <= 0;
    if (result > 0) return false;
    reading_stopped(result);
    return !end_ && !SSL_has_pending(ssl_.get());
}

void TlsStream::send_close_notify() {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_shutdown(ssl_.get());
    finished_ = result >= 0;
    if (finished_) return;
    const int error = SSL_get_error(ssl_.get(), result);
    if (error != SSL_ERROR_WANT_WRITE) broke(error);
}

void TlsStream::finish_writing() {
    finish_wanted_ = true;
    flush();
}

bool TlsStream::close() {
    finish_writing();
    return finished_;
}

}  // namespace umbra
