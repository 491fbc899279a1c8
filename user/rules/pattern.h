// Pattern: a compiled regular expression that must match the whole text, byte by byte, as Envoy's matcher does.
// Syntax is RE2's: linear time, no look-around and no back-references.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace re2 {
class RE2;
}

namespace umbra::rules {

class Pattern {
public:
    static Result<Pattern> make(const std::string& expression);
    Pattern(Pattern&&) noexcept;
    Pattern& operator=(Pattern&&) noexcept;
    ~Pattern();

    bool matches(std::string_view text) const;

private:
    explicit Pattern(std::unique_ptr<re2::RE2> compiled);
    std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace umbra::rules
