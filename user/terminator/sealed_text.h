// A text of any size as one descriptor: a sealed memfd, so that it travels in a small message, its sender never blocks
// on a slow reader, and nobody can change it any more.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"

namespace umbra {

// what: names the text in errors, as in "plan".
Result<UniqueFd> seal_text(std::string_view text, const std::string& what);

class MappedText {
public:
    // An empty text, or one above most bytes, is an error.
    static Result<MappedText> map(int fd, std::size_t most, const std::string& what);
    MappedText(MappedText&& other) noexcept : start_(std::exchange(other.start_, nullptr)), size_(other.size_) {}
    MappedText& operator=(MappedText&&) = delete;
    ~MappedText();

    std::string_view text() const { return {static_cast<const char*>(start_), size_}; }

private:
    MappedText(void* start, std::size_t size) : start_(start), size_(size) {}

    void* start_;
    std::size_t size_;
};

}  // namespace umbra
