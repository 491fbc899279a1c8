#include "offline/target.h"

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace umbra::offline {

namespace {

constexpr const char* kHint = "write HOST:PORT, e.g. 127.0.0.1:8080, [::1]:8080 or httpbin.example:80";

Endpoint endpoint_of(const sockaddr& address) {
    if (address.sa_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
        return {IpAddress::v4(reinterpret_cast<const std::uint8_t*>(&v4.sin_addr)), ntohs(v4.sin_port)};
    }
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    return {IpAddress::v6(v6.sin6_addr.s6_addr), ntohs(v6.sin6_port)};
}

bool is_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
    return failure == std::errc{} && end == text.data() + text.size() && port > 0;
}

}  // namespace

Result<std::vector<Endpoint>> resolve_target(const std::string& text) {
    const auto colon = text.rfind(':');
    const std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
    std::string host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string::npos)
        host.clear();
    if (host.empty() || !is_port(port))
        return Error{ErrorCode::usage, "read target '" + text + "': not a host and a port", kHint};
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (const int failure = ::getaddrinfo(host.c_str(), port.c_str(), &wanted, &list); failure != 0)
        return Error{ErrorCode::failure, "resolve target '" + text + "': " + ::gai_strerror(failure), kHint};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, ::freeaddrinfo);
    std::vector<Endpoint> endpoints;
    for (const addrinfo* entry = list; entry; entry = entry->ai_next)
        if (entry->ai_family == AF_INET || entry->ai_family == AF_INET6)
            endpoints.push_back(endpoint_of(*entry->ai_addr));
    std::sort(endpoints.begin(), endpoints.end());
    endpoints.erase(std::unique(endpoints.begin(), endpoints.end()), endpoints.end());
    if (endpoints.empty()) return Error{ErrorCode::failure, "resolve target '" + text + "': it has no address", kHint};
    return endpoints;
}

}  // namespace umbra::offline
