// Bounds of what a document may ask for, besides those of its text (yaml_reader.h, source_text.h, object.h) and those
// of the kernel side (include/umbra/abi/limits.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace umbra::rules {

inline constexpr std::size_t kMaxExpression = 4096;            // of a regular expression
inline constexpr std::int64_t kMaxExpressionMemory = 1 << 20;  // of a compiled one
inline constexpr std::size_t kMaxFindings = 2000;              // what a hostile or hopeless file can make of the report
inline constexpr std::size_t kMaxMirrors = 16;                 // further mirrors of a policy
inline constexpr int kMaxRounds = 64;                          // each keeps at least one more object of the cluster out
inline constexpr std::size_t kMaxDiffCells = 4'000'000;  // of the table; larger differences are shown as one block

}  // namespace umbra::rules
