// Routing netlink: messages with attributes, requests with their acknowledgement, dumps. Not a cache of anything.
// A NetlinkSocket owns its descriptor and belongs to the network namespace in which it was opened.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace umbra::loader {

class NetlinkMessage {
public:
    NetlinkMessage(std::uint16_t type, std::uint16_t flags);

    // The family's fixed header (ifinfomsg, tcmsg, …), before any attribute.
    template <class T>
    NetlinkMessage& header(const T& value) {
        append(&value, sizeof(value));
        return *this;
    }
    NetlinkMessage& bytes(std::uint16_t type, const void* data, std::size_t size);
    NetlinkMessage& text(std::uint16_t type, std::string_view value);
    NetlinkMessage& u32(std::uint16_t type, std::uint32_t value) { return bytes(type, &value, sizeof(value)); }
    // The attributes added by fill are nested in one of this type.
    NetlinkMessage& nest(std::uint16_t type, const std::function<void(NetlinkMessage&)>& fill);

    std::span<std::byte> finish(std::uint32_t sequence);
    bool is_dump() const { return dump_; }

private:
    void append(const void* data, std::size_t size);

    std::vector<std::byte> buffer_;
    bool dump_;
};

// The attributes of a message as a view.
class NetlinkAttributes {
public:
    explicit NetlinkAttributes(std::span<const std::byte> data) : data_(data) {}

    std::optional<std::span<const std::byte>> find(std::uint16_t type) const;
    std::optional<std::uint32_t> u32(std::uint16_t type) const;
    std::string text(std::uint16_t type) const;  // empty if absent
    NetlinkAttributes nested(std::uint16_t type) const;

private:
    std::span<const std::byte> data_;
};

// One message of an answer.
struct NetlinkReply {
    std::uint16_t type = 0;
    std::span<const std::byte> payload;

    template <class T>
    std::optional<T> header() const {
        if (payload.size() < sizeof(T)) return std::nullopt;
        T value;
        std::memcpy(&value, payload.data(), sizeof(T));
        return value;
    }
    template <class T>
    NetlinkAttributes attributes() const {
        const std::size_t skip = NLMSG_ALIGN(sizeof(T));
        return NetlinkAttributes(payload.size() > skip ? payload.subspan(skip) : payload.first(0));
    }
};

class NetlinkSocket {
public:
    // groups: RTNLGRP_* to listen to; none for requests.
    static Result<NetlinkSocket> open(const std::vector<unsigned>& groups = {});

    // 0, or the errno of the kernel's answer. visit sees every message but the final acknowledgement.
    int exchange(NetlinkMessage& message, const std::function<void(const NetlinkReply&)>& visit = {});
    int fd() const { return fd_.get(); }

private:
    explicit NetlinkSocket(UniqueFd fd) : fd_(std::move(fd)) {}
    std::optional<int> read_answer(std::uint32_t sequence, bool dump,
                                   const std::function<void(const NetlinkReply&)>& visit);

    UniqueFd fd_;
    std::uint32_t sequence_ = 0;
    std::vector<std::byte> buffer_;
};

}  // namespace umbra::loader
