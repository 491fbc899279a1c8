#include "loader/netlink.h"

#include <sys/socket.h>

#include <cerrno>

#include "loader/os_error.h"

namespace umbra::loader {

namespace {
constexpr std::size_t kReceiveBytes = 65'536;
}  // namespace

NetlinkMessage::NetlinkMessage(std::uint16_t type, std::uint16_t flags)
    : buffer_(NLMSG_HDRLEN), dump_((flags & NLM_F_DUMP) == NLM_F_DUMP) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST | (dump_ ? 0 : NLM_F_ACK));
    std::memcpy(buffer_.data(), &header, sizeof(header));
}

void NetlinkMessage::append(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const std::byte*>(data);
    buffer_.insert(buffer_.end(), bytes, bytes + size);
    buffer_.resize(NLMSG_ALIGN(buffer_.size()));
}

NetlinkMessage& NetlinkMessage::bytes(std::uint16_t type, const void* data, std::size_t size) {
    const rtattr attribute{static_cast<std::uint16_t>(RTA_LENGTH(size)), type};
    append(&attribute, sizeof(attribute));
    append(data, size);
    return *this;
}

NetlinkMessage& NetlinkMessage::text(std::uint16_t type, std::string_view value) {
    return bytes(type, std::string(value).c_str(), value.size() + 1);
}

NetlinkMessage& NetlinkMessage::nest(std::uint16_t type, const std::function<void(NetlinkMessage&)>& fill) {
    const std::size_t start = buffer_.size();
    const rtattr empty{0, type};
    append(&empty, sizeof(empty));
    fill(*this);
    const rtattr attribute{static_cast<std::uint16_t>(buffer_.size() - start), type};
    std::memcpy(buffer_.data() + start, &attribute, sizeof(attribute));
    return *this;
}

std::span<std::byte> NetlinkMessage::finish(std::uint32_t sequence) {
    nlmsghdr header;
    std::memcpy(&header, buffer_.data(), sizeof(header));
    header.nlmsg_len = static_cast<std::uint32_t>(buffer_.size());
    header.nlmsg_seq = sequence;
    std::memcpy(buffer_.data(), &header, sizeof(header));
    return buffer_;
}

std::optional<std::span<const std::byte>> NetlinkAttributes::find(std::uint16_t type) const {
    std::span<const std::byte> rest = data_;
    rtattr attribute;
    while (rest.size() >= sizeof(attribute)) {
        std::memcpy(&attribute, rest.data(), sizeof(attribute));
        if (attribute.rta_len < sizeof(attribute) || attribute.rta_len > rest.size()) break;
        if ((attribute.rta_type & NLA_TYPE_MASK) == type)
            return rest.subspan(sizeof(attribute), attribute.rta_len - sizeof(attribute));
        const std::size_t step = RTA_ALIGN(attribute.rta_len);
        if (step >= rest.size()) break;
        rest = rest.subspan(step);
    }
    return std::nullopt;
}

std::optional<std::uint32_t> NetlinkAttributes::u32(std::uint16_t type) const {
    const auto data = find(type);
    if (!data || data->size() < sizeof(std::uint32_t)) return std::nullopt;
    std::uint32_t value;
    std::memcpy(&value, data->data(), sizeof(value));
    return value;
}

std::string NetlinkAttributes::text(std::uint16_t type) const {
    const auto data = find(type);
    if (!data) return {};
    const auto* begin = reinterpret_cast<const char*>(data->data());
    return {begin, strnlen(begin, data->size())};
}

NetlinkAttributes NetlinkAttributes::nested(std::uint16_t type) const {
    return NetlinkAttributes(find(type).value_or(data_.first(0)));
}

Result<NetlinkSocket> NetlinkSocket::open(const std::vector<unsigned>& groups) {
    const int kind = SOCK_RAW | SOCK_CLOEXEC | (groups.empty() ? 0 : SOCK_NONBLOCK);
    UniqueFd fd(::socket(AF_NETLINK, kind, NETLINK_ROUTE));
    if (!fd) return os_error("open, routing netlink", errno);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
        return os_error("bind, routing netlink", errno);
    for (const unsigned group : groups) {
        if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0)
            return os_error("listen, routing netlink", errno);
    }
    return NetlinkSocket(std::move(fd));
}

int NetlinkSocket::exchange(NetlinkMessage& message, const std::function<void(const NetlinkReply&)>& visit) {
    const std::uint32_t sequence = ++sequence_;
    const auto bytes = message.finish(sequence);
    if (::send(fd_.get(), bytes.data(), bytes.size(), 0) < 0) return errno;
    while (true) {
        if (const auto done = read_answer(sequence, message.is_dump(), visit)) return *done;
    }
}

std::optional<int> NetlinkSocket::read_answer(std::uint32_t sequence, bool dump,
                                              const std::function<void(const NetlinkReply&)>& visit) {
    buffer_.resize(kReceiveBytes);
    const ssize_t got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (got < 0) return errno == EINTR ? std::nullopt : std::optional<int>(errno);
    auto left = static_cast<std::uint32_t>(got);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer_.data()); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
        if (header->nlmsg_seq != sequence) continue;
        if (header->nlmsg_type == NLMSG_DONE && dump) return 0;
        if (header->nlmsg_type == NLMSG_ERROR) {
            const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
            return -error->error;
        }
        if (!visit) continue;
        visit({header->nlmsg_type,
               {static_cast<const std::byte*>(NLMSG_DATA(header)), header->nlmsg_len - NLMSG_HDRLEN}});
    }
    return std::nullopt;
}

}  // namespace umbra::loader
