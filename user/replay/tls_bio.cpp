#include "replay/tls_bio.h"

#include <openssl/bio.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>

namespace umbra {

namespace {

int fd_of(BIO* bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))); }

bool try_again() { return errno == EAGAIN || errno == EINTR; }

int write_socket(BIO* bio, const char* data, std::size_t size, std::size_t* done) {
    BIO_clear_retry_flags(bio);
    const ssize_t count = ::send(fd_of(bio), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && try_again()) BIO_set_retry_write(bio);
    *done = count > 0 ? static_cast<std::size_t>(count) : 0;
    return count > 0;
}

int read_socket(BIO* bio, char* data, std::size_t size, std::size_t* done) {
    BIO_clear_retry_flags(bio);
    const ssize_t count = ::recv(fd_of(bio), data, size, MSG_DONTWAIT);
    if (count < 0 && try_again()) BIO_set_retry_read(bio);
    if (count == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    *done = count > 0 ? static_cast<std::size_t>(count) : 0;
    return count > 0;
}

long control_socket(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

struct FreeMethod {
    void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};
using Method = std::unique_ptr<BIO_METHOD, FreeMethod>;

Method make_method() {
    Method method(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals"));
    if (!method) throw std::bad_alloc();
    BIO_meth_set_write_ex(method.get(), write_socket);
    BIO_meth_set_read_ex(method.get(), read_socket);
    BIO_meth_set_ctrl(method.get(), control_socket);
    return method;
}

}  // namespace

bio_st* make_socket_bio(int fd) {
    static const Method method = make_method();
    BIO* bio = BIO_new(method.get());
    if (!bio) return nullptr;
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
    BIO_set_init(bio, 1);
    return bio;
}

}  // namespace umbra
