// What a connection's first bytes say of its protocol. Pure: the caller collects bytes until the answer is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace umbra {

enum class Detection : std::uint8_t { need_more, http1, http2, tls, raw };

// first: all bytes of the connection so far. Never asks for more than max_line bytes.
Detection detect(std::string_view first, std::size_t max_line);

// The first bytes of a server's packet: do they begin a final response, or a switch to another protocol?
bool begins_final_response(std::string_view prefix);  // HTTP/1.x 2xx to 5xx
bool begins_success(std::string_view prefix);         // HTTP/1.x 2xx
bool begins_switch(std::string_view prefix);          // HTTP/1.x 101
bool begins_response(std::string_view prefix);        // any HTTP/1.x status line

}  // namespace umbra
