#include "wire/chunked_check.h"

#include <algorithm>

#include "wire/http1_head.h"

namespace umbra::wire {

namespace {

constexpr std::uint8_t kMaxSizeDigits = 15;

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

ChunkedCheck::Step ChunkedCheck::feed(std::string_view bytes) {
    std::size_t at = 0;
    while (at < bytes.size() && state_ != State::done) {
        if (state_ == State::data) {
            const std::size_t part = std::min<std::uint64_t>(left_, bytes.size() - at);
            left_ -= part;
            at += part;
            if (left_ == 0) state_ = State::data_cr;
            continue;
        }
        if (!step(bytes[at])) return {at, false, HttpFault::ambiguous};
        ++at;
    }
    return {at, state_ == State::done, HttpFault::none};
}

bool ChunkedCheck::expect(char c, char wanted, State next) {
    state_ = next;
    return c == wanted;
}

bool ChunkedCheck::step(char c) {
    switch (state_) {
        case State::size_first:
        case State::size:
            return size_step(c);
        case State::size_lf:
            return expect(c, '\n', left_ == 0 ? State::trailer_first : State::data);
        case State::data_cr:
            return expect(c, '\r', State::data_lf);
        case State::data_lf:
            left_ = 0;
            digits_ = 0;
            return expect(c, '\n', State::size_first);
        case State::trailer_first:
        case State::trailer_name:
        case State::trailer_value:
        case State::trailer_lf:
            return !limits_->trailer_bytes.exceeded_by(++trailer_) && trailer_step(c);
        case State::last_lf:
            return expect(c, '\n', State::done);
        default:
            return !limits_->extension_bytes.exceeded_by(++extension_) && extension_step(c);
    }
}

bool ChunkedCheck::size_step(char c) {
    if (const int digit = hex_value(c); digit >= 0) {
        left_ = left_ * 16 + static_cast<unsigned>(digit);
        state_ = State::size;
        return ++digits_ <= kMaxSizeDigits;
    }
    extension_ = 0;
    return state_ == State::size && after_extension(c);
}

bool ChunkedCheck::after_extension(char c) {
    if (c == ';') return expect(c, ';', State::extension_name_first);
    return expect(c, '\r', State::size_lf);
}

bool ChunkedCheck::extension_step(char c) {
    switch (state_) {
        case State::extension_name_first:
            state_ = State::extension_name;
            return is_token_char(c);
        case State::extension_name:
            if (c == '=') return expect(c, '=', State::extension_value_first);
            return is_token_char(c) || after_extension(c);
        case State::extension_value_first:
            state_ = c == '"' ? State::extension_quoted : State::extension_value;
            return c == '"' || is_token_char(c);
        case State::extension_value:
            return is_token_char(c) || after_extension(c);
        case State::extension_quoted:
            if (c == '"') state_ = State::extension_quoted_end;
            if (c == '\\') state_ = State::extension_escaped;
            return is_field_value_char(c);
        case State::extension_escaped:
            state_ = State::extension_quoted;
            return is_field_value_char(c);
        default:
            return after_extension(c);
    }
}

bool ChunkedCheck::trailer_step(char c) {
    switch (state_) {
        case State::trailer_first:
            if (c == '\r') return expect(c, '\r', State::last_lf);
            state_ = State::trailer_name;
            return is_token_char(c);
        case State::trailer_name:
            if (c == ':') return expect(c, ':', State::trailer_value);
            return is_token_char(c);
        case State::trailer_value:
            if (c == '\r') return expect(c, '\r', State::trailer_lf);
            return is_field_value_char(c);
        default:
            return expect(c, '\n', State::trailer_first);
    }
}

}  // namespace umbra::wire
