#include "kube/wall_time.h"

#include <cmath>
#include <cstdio>
#include <ctime>

namespace umbra::kube {

namespace {

std::string date_and_time(double seconds) {
    const auto whole = static_cast<std::time_t>(std::floor(seconds));
    std::tm parts{};
    ::gmtime_r(&whole, &parts);
    char text[32];
    const std::size_t length = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    return std::string(text, length);
}

}  // namespace

double wall_now() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::string rfc3339(double seconds) { return date_and_time(seconds) + "Z"; }

std::string rfc3339_micro(double seconds) {
    char fraction[16];
    const double part = seconds - std::floor(seconds);
    std::snprintf(fraction, sizeof(fraction), ".%06dZ", static_cast<int>(part * 1e6));
    return date_and_time(seconds) + fraction;
}

std::optional<double> parse_rfc3339(std::string_view text) {
    const std::string copy(text);
    std::tm parts{};
    const char* rest = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (!rest) return std::nullopt;
    double fraction = 0;
    if (*rest == '.') {
        double scale = 0.1;
        for (++rest; *rest >= '0' && *rest <= '9'; ++rest, scale /= 10) fraction += scale * (*rest - '0');
    }
    if (std::string_view(rest) != "Z") return std::nullopt;
    return static_cast<double>(::timegm(&parts)) + fraction;
}

}  // namespace umbra::kube
