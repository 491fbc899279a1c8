// Asio as this folder uses it. A standard header comes first: Asio picks its allocation functions by a macro of
// libstdc++ that only such a header defines, and translation units that differ would free with the wrong function.
#pragma once

#include <cstddef>

// A block of its own, so that it stays behind.
// clang-format off
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
// clang-format on
