#include "replay/http2_stream.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace umbra {

namespace {

constexpr std::size_t kParts = 16;

void put(std::string& out, std::size_t value) {
    const auto number = static_cast<std::uint32_t>(value);
    out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::uint32_t get(std::string_view& in) {
    std::uint32_t number = 0;
    std::memcpy(&number, in.data(), sizeof number);
    in.remove_prefix(sizeof number);
    return number;
}

}  // namespace

bool Http2Stream::append(Bytes bytes, std::size_t& part) {
    if (!queue_.append(bytes)) return false;
    part += bytes.size();
    queued_ += bytes.size();
    bump(shared_.worker.queued_bytes, bytes.size());
    return true;
}

void Http2Stream::pop(std::size_t count) {
    queue_.pop_front(count);
    queued_ -= count;
    if (target) target->unqueue(count);
    drop_gauge(shared_.worker.queued_bytes, count);
}

std::size_t Http2Stream::take_body(std::span<std::uint8_t> into) {
    const std::size_t count = std::min(into.size(), body_);
    std::array<iovec, kParts> parts;
    std::size_t copied = 0;
    while (copied < count) {
        const std::size_t used = queue_.front(parts, count - copied);
        std::size_t round = 0;
        for (const iovec& part : std::span(parts).first(used)) {
            std::memcpy(into.data() + copied + round, part.iov_base, part.iov_len);
            round += part.iov_len;
        }
        pop(round);
        copied += round;
    }
    body_ -= count;
    return count;
}

std::string Http2Stream::take(std::size_t& part) {
    std::string out;
    out.reserve(part);
    while (part > 0) {
        iovec view;
        queue_.front(std::span(&view, 1), part);
        out.append(static_cast<const char*>(view.iov_base), view.iov_len);
        part -= view.iov_len;
        pop(view.iov_len);
    }
    return out;
}

void Http2Stream::clear() {
    pop(queue_.size());
    head_ = body_ = trailers_ = 0;
}

void encode_fields(std::span<const HeaderField> fields, std::string& out) {
    for (const HeaderField& field : fields) {
        put(out, field.name.size());
        put(out, field.value.size());
        out.push_back(field.never_index ? 1 : 0);
        out.append(field.name).append(field.value);
    }
}

std::vector<HeaderField> decode_fields(std::string_view encoded) {
    std::vector<HeaderField> fields;
    while (!encoded.empty()) {
        const std::size_t name = get(encoded);
        const std::size_t value = get(encoded);
        const bool never_index = encoded.front() != 0;
        encoded.remove_prefix(1);
        fields.push_back({encoded.substr(0, name), encoded.substr(name, value), never_index});
        encoded.remove_prefix(name + value);
    }
    return fields;
}

}  // namespace umbra
