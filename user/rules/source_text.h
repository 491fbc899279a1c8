// SourceText: the text of one input with its name. Reading is the only I/O of this folder: files, folders
// (recursive, *.yaml *.yml *.json, sorted by path) and "-" for standard input, all bounded in size.
#pragma once

#include <string>
#include <vector>

#include "rules/diagnostic.h"

namespace umbra::rules {

struct SourceText {
    std::string name;  // as messages show it: a path, "<stdin>"
    std::string text;
    std::string ns = "default";  // of objects that name none
};

inline constexpr std::size_t kMaxFileBytes = 64u << 20;
inline constexpr std::size_t kMaxInputBytes = 256u << 20;  // all files of one command
inline constexpr std::size_t kMaxFiles = 4096;

// What cannot be read is reported; the rest is returned. A file named twice is read once.
std::vector<SourceText> read_sources(const std::vector<std::string>& paths, Diagnostics& diagnostics);

}  // namespace umbra::rules
