// A BIO on a non-blocking socket that it does not own. Unlike OpenSSL's own it raises no SIGPIPE.
#pragma once

struct bio_st;

namespace umbra {

// Null: no memory.
bio_st* make_socket_bio(int fd);

}  // namespace umbra
