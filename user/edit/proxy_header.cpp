// The PROXY protocol, version 2: its binary header for TCP, command PROXY.
#include "edit/edit.h"

namespace umbra::edit {

namespace {

constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr char kVersion2Proxy = 0x21;
constexpr char kTcpOverIpv4 = 0x11, kTcpOverIpv6 = 0x21;
constexpr std::uint16_t kIpv4Size = 12, kIpv6Size = 36;

void append_u16(std::string& out, std::uint16_t value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value & 0xff);
}

void append_address(std::string& out, const IpAddress& address, bool v4) {
    const auto bytes = std::span(address.bytes).subspan(v4 ? 12 : 0);
    out.append(bytes.begin(), bytes.end());
}

}  // namespace

std::string proxy_v2_header(const FlowTuple& flow) {
    const bool v4 = flow.client.address.is_v4() && flow.server.address.is_v4();
    std::string out(kSignature);
    out += kVersion2Proxy;
    out += v4 ? kTcpOverIpv4 : kTcpOverIpv6;
    append_u16(out, v4 ? kIpv4Size : kIpv6Size);
    append_address(out, flow.client.address, v4);
    append_address(out, flow.server.address, v4);
    append_u16(out, flow.client.port);
    append_u16(out, flow.server.port);
    return out;
}

}  // namespace umbra::edit
