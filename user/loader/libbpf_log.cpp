#include "loader/libbpf_log.h"

#include <bpf/libbpf.h>
#include <spdlog/spdlog.h>

#include <cstdarg>
#include <cstdio>
#include <string>

namespace umbra::loader {

namespace {

int print(libbpf_print_level level, const char* format, va_list arguments) {
    const auto ours = level == LIBBPF_WARN   ? spdlog::level::info
                      : level == LIBBPF_INFO ? spdlog::level::debug
                                             : spdlog::level::trace;
    if (!spdlog::should_log(ours)) return 0;
    va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, format, again);
    va_end(again);
    if (length <= 0) return length;
    std::string text(static_cast<std::size_t>(length) + 1, '\0');
    std::vsnprintf(text.data(), text.size(), format, arguments);
    text.resize(text.find_last_not_of(std::string_view("\n\0", 2)) + 1);
    spdlog::log(ours, "  {}", text);
    return length;
}

}  // namespace

void route_libbpf_log() { libbpf_set_print(print); }

}  // namespace umbra::loader
