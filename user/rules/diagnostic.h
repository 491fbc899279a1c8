// Diagnostic: one finding about the input, with the place it is about, and Diagnostics, which collects all of them.
// Nothing here decides what is wrong: decoding, resolving and compiling report, the caller prints.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace umbra::rules {

// note: debug level, e.g. a document that was ignored because it does not concern mirroring.
enum class Severity : std::uint8_t { error, warning, note };

// Line and column count from 1; 0 means the file as a whole.
struct Position {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    auto operator<=>(const Position&) const = default;
};

struct Location {
    std::string file;
    Position at;
    bool operator==(const Location&) const = default;
};

struct Diagnostic {
    Severity severity = Severity::error;
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string path;  // e.g. "spec.route[0].weight", may be empty
    std::string message;
    std::string hint;
    bool unresolved = false;  // it is about a name that no document describes
    bool operator==(const Diagnostic&) const = default;
};

const char* severity_name(Severity severity);

// "FILE:LINE:COLUMN: error: PATH: MESSAGE\n  hint: HINT\n"
std::string print_diagnostic(const Diagnostic& diagnostic);
// Notes are left out unless asked for.
std::string print_diagnostics(const std::vector<Diagnostic>& diagnostics, bool with_notes = false);

class Diagnostics {
public:
    void add(Diagnostic diagnostic);
    void add(Severity severity, const Location& location, std::string path, std::string message, std::string hint = {});
    bool has_errors() const { return errors_ > 0; }
    // Sorted by file and position, findings of one place in the order they were made; each once.
    std::vector<Diagnostic> take();

private:
    std::vector<Diagnostic> found_;
    std::size_t errors_ = 0;
};

}  // namespace umbra::rules
