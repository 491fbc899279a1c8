#include "replay/tls_context.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "base/unique_fd.h"

namespace umbra {

namespace {

Error ca_error(const std::string& file, const std::string& cause) {
    return {ErrorCode::failure, "read CA certificates, " + file + ": " + cause,
            "name a file of PEM certificates that the agent may read, or none for the system's"};
}

Result<void> trust(ssl_ctx_st* context, const std::string& ca_file) {
    if (ca_file.empty()) {
        if (SSL_CTX_set_default_verify_paths(context) == 1) return {};
        return Error{ErrorCode::failure, "read CA certificates, those of the system: OpenSSL cannot use them"};
    }
    const UniqueFd readable(::open(ca_file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!readable) return ca_error(ca_file, std::strerror(errno));
    ERR_clear_error();
    if (SSL_CTX_load_verify_file(context, ca_file.c_str()) == 1) return {};
    ERR_clear_error();
    return ca_error(ca_file, "no certificate in PEM form in it");
}

void configure(ssl_ctx_st* context, bool verify) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_verify(context, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}

std::string_view without_port(std::string_view host) {
    if (host.substr(0, 1) == "[") return host.substr(1, host.find(']') - 1);
    const std::size_t colon = host.find(':');
    const bool one = colon != host.npos && host.find(':', colon + 1) == host.npos;
    return one ? host.substr(0, colon) : host;
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
void TlsContext::Free::operator()(ssl_session_st* session) const { SSL_SESSION_free(session); }

Result<std::shared_ptr<TlsContext>> TlsContext::make(const rules::TlsOrigination& settings) {
    std::shared_ptr<TlsContext> made(new TlsContext(SSL_CTX_new(TLS_client_method())));
    if (!made->get()) return Error{ErrorCode::failure, "set up TLS, client: OpenSSL has no context to give"};
    if (auto trusted = trust(made->get(), settings.ca_file); !trusted) return trusted.error();
    configure(made->get(), settings.verify);
    SSL_CTX_set_app_data(made->get(), made.get());
    SSL_CTX_sess_set_new_cb(made->get(), new_session);
    return made;
}

// Takes the session over (returns 1) once the peer was verified: OpenSSL calls this after the handshake only.
int TlsContext::new_session(ssl_st* ssl, ssl_session_st* session) {
    auto* self = static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    const auto* key = static_cast<const std::string*>(SSL_get_app_data(ssl));
    if (!key) return 0;
    auto& sessions = self->sessions_;
    try {
        if (sessions.size() >= kSessions && !sessions.contains(*key)) sessions.erase(sessions.begin());
        sessions[*key].reset(session);
        return 1;
    } catch (const std::bad_alloc&) {  // not through OpenSSL's frames; the next connection shakes hands in full
        return 0;
    }
}

void TlsContext::resume(ssl_st* ssl, const std::string& key) {
    SSL_set_app_data(ssl, const_cast<std::string*>(&key));
    if (const auto found = sessions_.find(key); found != sessions_.end()) SSL_set_session(ssl, found->second.get());
}

std::string tls_server_name(const rules::TlsOrigination& settings, std::string_view host, const Endpoint& endpoint) {
    std::string_view name = without_port(settings.server_name.empty() ? host : settings.server_name);
    if (name.ends_with('.')) name.remove_suffix(1);
    return name.empty() ? endpoint.address.to_string() : std::string(name);
}

}  // namespace umbra
