#include "replay/tls_error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <cerrno>
#include <cstring>

namespace umbra {

namespace {

std::string describe_certificate(long result, const std::string& server_name) {
    const std::string text = std::string("certificate: ") + X509_verify_cert_error_string(result);
    const bool name = result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH;
    return name ? text + ", it is not of " + server_name : text;
}

}  // namespace

std::string describe_tls_error(const ssl_st* ssl, int ssl_error, const std::string& server_name) {
    const int system_error = errno;
    const unsigned long code = ERR_peek_last_error();
    const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        return describe_certificate(SSL_get_verify_result(ssl), server_name);
    }
    if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) return "the peer closed the connection without close_notify";
    if (ssl_error == SSL_ERROR_ZERO_RETURN) return "the peer closed the connection";
    if (ssl_error == SSL_ERROR_SYSCALL) return system_error ? std::strerror(system_error) : "the connection broke";
    const char* text = ERR_reason_error_string(code);
    if (reason == SSL_R_WRONG_VERSION_NUMBER) return std::string(text) + ", the peer may not speak TLS";
    return text ? text : "no cause known";
}

}  // namespace umbra
