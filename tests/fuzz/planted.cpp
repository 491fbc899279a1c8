// Three planted bugs, one for each way to fail: scripts/fuzz must find them, or its silence means nothing.
#include <limits>
#include <memory>

#include "fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (text.starts_with("A!")) {
        const auto bytes = std::make_unique<char[]>(size);
        return bytes[size] & 1;  // for ASan: behind the end
    }
    if (text.starts_with("U!")) return (std::numeric_limits<int>::max() - 1 + static_cast<int>(size)) & 1;  // for UBSan
    umbra::fuzz::require(!text.starts_with("P!"), "planted");
    return 0;
}
