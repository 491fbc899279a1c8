// Binary metadata of gRPC. Peers that agreed on it in their SETTINGS send the value of a "-bin" field as it is behind a
// NUL, which is no HTTP field value; everybody else, and every gRPC server, takes base64.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace umbra {

// The value in base64 if it is such a raw one.
std::optional<std::string> portable_metadata(std::string_view name, std::string_view value);

}  // namespace umbra
