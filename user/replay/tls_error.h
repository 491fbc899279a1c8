// What went wrong in TLS, in words for people. Says nothing of keys or contents.
#pragma once

#include <string>

struct ssl_st;

namespace umbra {

// ssl_error: of SSL_get_error(), right after the call that failed; errno is still that call's.
std::string describe_tls_error(const ssl_st* ssl, int ssl_error, const std::string& server_name);

}  // namespace umbra
