#include "rules/pattern.h"

#include <re2/re2.h>

#include "rules/limits.h"

namespace umbra::rules {

namespace {

std::string regex_hint(std::string_view expression) {
    for (const std::string_view look : {"(?=", "(?!", "(?<=", "(?<!"}) {
        if (expression.find(look) != std::string_view::npos) return "look-around is not supported (RE2 syntax)";
    }
    const auto backslash = expression.find('\\');
    if (backslash + 1 < expression.size() && expression[backslash + 1] >= '1' && expression[backslash + 1] <= '9') {
        return "back-references are not supported (RE2 syntax)";
    }
    return "RE2 syntax, the expression must match the whole text";
}

}  // namespace

Pattern::Pattern(std::unique_ptr<re2::RE2> compiled) : compiled_(std::move(compiled)) {}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Result<Pattern> Pattern::make(const std::string& expression) {
    if (expression.size() > kMaxExpression) {
        return Error{ErrorCode::invalid_rules,
                     "regular expression above the limit of " + std::to_string(kMaxExpression) + " bytes", ""};
    }
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_encoding(re2::RE2::Options::EncodingLatin1);
    options.set_max_mem(kMaxExpressionMemory);
    options.set_dot_nl(true);
    auto compiled = std::make_unique<re2::RE2>(expression, options);
    if (!compiled->ok()) {
        return Error{ErrorCode::invalid_rules, "invalid regular expression '" + expression + "': " + compiled->error(),
                     regex_hint(expression)};
    }
    return Pattern(std::move(compiled));
}

bool Pattern::matches(std::string_view text) const {
    return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

}  // namespace umbra::rules
