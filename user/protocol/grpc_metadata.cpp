#include "protocol/grpc_metadata.h"

#include <openssl/evp.h>

namespace umbra {

std::optional<std::string> portable_metadata(std::string_view name, std::string_view value) {
    if (!name.ends_with("-bin") || value.empty() || value.front() != '\0') return std::nullopt;
    value.remove_prefix(1);
    std::string encoded((value.size() + 2) / 3 * 4 + 1, '\0');
    const auto* bytes = reinterpret_cast<const unsigned char*>(value.data());
    auto* out = reinterpret_cast<unsigned char*>(encoded.data());
    encoded.resize(static_cast<std::size_t>(EVP_EncodeBlock(out, bytes, static_cast<int>(value.size()))));
    return encoded.substr(0, encoded.find('='));  // gRPC leaves the padding out
}

}  // namespace umbra
