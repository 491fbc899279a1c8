#include "rules/diagnostic.h"

#include <algorithm>
#include <tuple>

#include "rules/limits.h"

namespace umbra::rules {

const char* severity_name(Severity severity) {
    switch (severity) {
        case Severity::error:
            return "error";
        case Severity::warning:
            return "warning";
        case Severity::note:
            break;
    }
    return "note";
}

std::string print_diagnostic(const Diagnostic& diagnostic) {
    std::string text;
    if (!diagnostic.file.empty()) {
        text += diagnostic.file + ":";
        if (diagnostic.line > 0) {
            text += std::to_string(diagnostic.line) + ":" + std::to_string(diagnostic.column) + ":";
        }
        text += " ";
    }
    text += std::string(severity_name(diagnostic.severity)) + ": ";
    if (!diagnostic.path.empty()) text += diagnostic.path + ": ";
    text += diagnostic.message + "\n";
    if (!diagnostic.hint.empty()) text += "  hint: " + diagnostic.hint + "\n";
    return text;
}

std::string print_diagnostics(const std::vector<Diagnostic>& diagnostics, bool with_notes) {
    std::string text;
    for (const auto& diagnostic : diagnostics) {
        if (with_notes || diagnostic.severity != Severity::note) text += print_diagnostic(diagnostic);
    }
    return text;
}

void Diagnostics::add(Diagnostic diagnostic) {
    if (diagnostic.severity == Severity::error) ++errors_;
    if (found_.size() < kMaxFindings) {
        found_.push_back(std::move(diagnostic));
    } else if (found_.size() == kMaxFindings) {
        found_.push_back(
            {Severity::error, diagnostic.file, 0, 0, "", "too many findings, the rest is not shown", "", false});
        ++errors_;
    }
}

void Diagnostics::add(Severity severity, const Location& location, std::string path, std::string message,
                      std::string hint) {
    add({severity, location.file, location.at.line, location.at.column, std::move(path), std::move(message),
         std::move(hint), false});
}

std::vector<Diagnostic> Diagnostics::take() {
    auto result = std::move(found_);
    found_.clear();
    errors_ = 0;
    std::stable_sort(result.begin(), result.end(), [](const Diagnostic& a, const Diagnostic& b) {
        return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
    });
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
}

}  // namespace umbra::rules
