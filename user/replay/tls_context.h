// TlsContext: what TLS connections to one mirror have in common: trust, versions, sessions to resume. One per distinct
// settings and worker; used by one thread. Connections share its ownership.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/ip_address.h"
#include "rules/mirror_settings.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

namespace umbra {

class TlsContext {
public:
    static constexpr std::size_t kSessions = 256;           // remembered at most
    static constexpr std::size_t kRecordBytes = 16 * 1024;  // payload of the largest record

    // Reads the CA file, or the system's certificates if none is named.
    static Result<std::shared_ptr<TlsContext>> make(const rules::TlsOrigination& settings);
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    ssl_ctx_st* get() const { return context_.get(); }
    // A session is resumed with the peer and the name that it was verified for only. `key` outlives `ssl`.
    void resume(ssl_st* ssl, const std::string& key);
    void forget(const std::string& key) { sessions_.erase(key); }
    std::size_t sessions() const { return sessions_.size(); }

    // For the length of one call.
    std::span<std::byte> scratch() { return scratch_; }
    // Of the latest connection that failed; empty: none did.
    const std::string& last_failure() const { return last_failure_; }
    void set_last_failure(std::string text) { last_failure_ = std::move(text); }

private:
    struct Free {
        void operator()(ssl_ctx_st* context) const;
        void operator()(ssl_session_st* session) const;
    };
    explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
    static int new_session(ssl_st* ssl, ssl_session_st* session);

    std::unique_ptr<ssl_ctx_st, Free> context_;
    std::map<std::string, std::unique_ptr<ssl_session_st, Free>, std::less<>> sessions_;
    std::array<std::byte, kRecordBytes> scratch_;
    std::string last_failure_;
};

// The name to ask for and to verify: that of the settings, else the host (with or without a port) that the mirror is
// called by, else the endpoint's address. Without port, brackets and trailing dot.
std::string tls_server_name(const rules::TlsOrigination& settings, std::string_view host, const Endpoint& endpoint);

}  // namespace umbra
