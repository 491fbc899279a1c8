#include "rules/text_diff.h"

#include <algorithm>
#include <span>
#include <vector>

#include "rules/limits.h"

namespace umbra::rules {

namespace {

constexpr std::size_t kContext = 3;

using Lines = std::vector<std::string_view>;

struct Edit {
    char sign;
    std::string_view line;
};

Lines split_lines(std::string_view text) {
    Lines lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

// The middle part, where the texts differ: a longest common subsequence by its table of lengths.
void add_edits(const Lines& a, const Lines& b, std::vector<Edit>& edits) {
    std::vector<std::vector<std::uint32_t>> common;
    if (a.size() * b.size() <= kMaxDiffCells) {
        common.assign(a.size() + 1, std::vector<std::uint32_t>(b.size() + 1));
        for (std::size_t i = a.size(); i-- > 0;) {
            for (std::size_t j = b.size(); j-- > 0;) {
                common[i][j] = a[i] == b[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
            }
        }
    }
    std::size_t i = 0, j = 0;
    while (i < a.size() || j < b.size()) {
        const bool both = i < a.size() && j < b.size();
        if (both && !common.empty() && a[i] == b[j]) {
            edits.push_back({' ', a[i++]});
            ++j;
        } else if (i < a.size() && (!both || common.empty() || common[i + 1][j] >= common[i][j + 1])) {
            edits.push_back({'-', a[i++]});
        } else {
            edits.push_back({'+', b[j++]});
        }
    }
}

std::vector<Edit> edits_between(const Lines& before, const Lines& after) {
    const auto shorter = std::min(before.size(), after.size());
    std::size_t head = 0, tail = 0;
    while (head < shorter && before[head] == after[head]) ++head;
    while (tail < shorter - head && before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) ++tail;
    std::vector<Edit> edits;
    for (std::size_t i = 0; i < head; ++i) edits.push_back({' ', before[i]});
    const auto middle = [&](const Lines& lines) {
        const std::span<const std::string_view> all(lines);
        const auto part = all.subspan(head, lines.size() - head - tail);
        return Lines(part.begin(), part.end());
    };
    add_edits(middle(before), middle(after), edits);
    for (auto i = before.size() - tail; i < before.size(); ++i) edits.push_back({' ', before[i]});
    return edits;
}

}  // namespace

std::string diff_lines(std::string_view before, std::string_view after) {
    if (before == after) return {};
    const auto edits = edits_between(split_lines(before), split_lines(after));
    std::vector<bool> shown(edits.size());
    for (std::size_t i = 0; i < edits.size(); ++i) {
        if (edits[i].sign == ' ') continue;
        const auto first = i - std::min(i, kContext);
        for (auto k = first; k < std::min(edits.size(), i + kContext + 1); ++k) shown[k] = true;
    }
    std::string text;
    for (std::size_t i = 0; i < edits.size(); ++i) {
        if (shown[i]) {
            text += edits[i].sign;
            text.append(edits[i].line).append("\n");
        } else if (i == 0 || shown[i - 1]) {
            text += "...\n";
        }
    }
    return text;
}

}  // namespace umbra::rules
