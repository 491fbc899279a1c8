#include "rules/suggest.h"

#include <algorithm>
#include <cctype>

namespace umbra::rules {

namespace {

constexpr std::size_t kMaxName = 64;  // longer names get no suggestion
constexpr std::size_t kMaxDistance = 3;

char folded(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

// Insertions, deletions, replacements and swaps of neighbours; upper and lower case are equal.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = folded(a[i - 1]) == folded(b[j - 1]);
            cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (same ? 0 : 1)});
            const bool swapped =
                i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1]);
            if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a.size()][b.size()];
}

}  // namespace

std::string closest_name(std::string_view name, std::span<const std::string_view> known) {
    if (name.size() > kMaxName) return {};
    std::string_view best;
    std::size_t best_distance = std::clamp<std::size_t>(name.size() / 3, 1, kMaxDistance) + 1;
    for (const auto candidate : known) {
        if (candidate.size() > kMaxName) continue;
        const auto distance = edit_distance(name, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return std::string(best);
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> known) {
    const auto close = closest_name(name, known);
    return close.empty() ? std::string{} : "did you mean '" + close + "'?";
}

}  // namespace umbra::rules
