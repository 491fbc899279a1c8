#include "terminator/descriptor_message.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace umbra {

namespace {

union ControlBuffer {
    char bytes[CMSG_SPACE(sizeof(int) * kMaxMessageDescriptors)];
    cmsghdr align;
};

Error failed(const std::string& attempt) { return {ErrorCode::failure, attempt + ": " + std::strerror(errno), {}}; }

void take_descriptors(msghdr& header, std::vector<UniqueFd>& fds) {
    for (auto* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
            fds.emplace_back(fd);
        }
    }
}

}  // namespace

Result<void> send_message(int channel, const std::string& text, const std::vector<int>& fds, const std::string& what) {
    iovec data{const_cast<char*>(text.data()), text.size()};
    ControlBuffer control{};
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    if (!fds.empty()) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
        auto* part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        std::memcpy(CMSG_DATA(part), fds.data(), fds.size() * sizeof(int));
    }
    if (::sendmsg(channel, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return failed("send " + what);
    return {};
}

Result<DescriptorMessage> receive_message(int channel, const std::string& what) {
    DescriptorMessage message;
    message.text.resize(kMaxMessageText);
    iovec data{message.text.data(), message.text.size()};
    ControlBuffer control{};
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = &control;
    header.msg_controllen = sizeof control;
    auto got = ::recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
    // Reported once, and before the last words of a peer that ended with a message of ours unread.
    if (got < 0 && errno == ECONNRESET) got = ::recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == ECONNRESET) return DescriptorMessage{};
    if (got < 0) return failed("receive " + what);
    take_descriptors(header, message.fds);
    message.text.resize(static_cast<std::size_t>(got));
    if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return Error{ErrorCode::failure, "receive " + what + ": the message is too large", {}};
    return message;
}

}  // namespace umbra
