// Bounds of what the controller keeps of the cluster's own reports, besides those of the picture and of the API's
// answers.
#pragma once

#include <cstddef>

namespace umbra::kube {

inline constexpr std::size_t kMaxNodes = 10'000;           // whose leases the leader reads
inline constexpr std::size_t kMaxStatusObjects = 20'000;   // whose status it keeps
inline constexpr std::size_t kMaxStatusBytes = 64u << 10;  // of one of them
inline constexpr std::size_t kMaxSmallFile = 1u << 20;     // a token, a certificate, a kubeconfig

}  // namespace umbra::kube
