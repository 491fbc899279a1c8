// Room for one more element of a vector, made before anything is changed: the next push_back cannot fail.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace umbra {

template <class T>
void make_room_for_one(std::vector<T>& vector) {
    constexpr std::size_t kFirst = 8;
    if (vector.size() == vector.capacity()) vector.reserve(std::max(kFirst, 2 * vector.size()));
}

}  // namespace umbra
