// Watched: a descriptor that somebody else owns, in the io_context.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

namespace umbra::agent {

class Watched {
public:
    Watched(asio::io_context& io, int fd) : descriptor_(io, fd) {}
    ~Watched() { descriptor_.release(); }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

    // Once. Not called when this object goes first.
    template <class Action>
    void when_readable(Action action) {
        descriptor_.async_wait(asio::posix::descriptor_base::wait_read, [action](const asio::error_code& error) {
            if (!error) action();
        });
    }

private:
    asio::posix::stream_descriptor descriptor_;
};

}  // namespace umbra::agent
