#include "loader/mapped_array.h"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "loader/os_error.h"

namespace umbra::loader {

Result<MappedMemory> MappedMemory::map(int map_fd, std::size_t value_size) {
    bpf_map_info info{};
    std::uint32_t info_size = sizeof(info);
    if (const int error = bpf_obj_get_info_by_fd(map_fd, &info, &info_size)) return os_error("read, map info", error);
    if (info.value_size != value_size) {
        return Error{ErrorCode::failure,
                     "map, '" + std::string(info.name) + "': elements of " + std::to_string(info.value_size) +
                         " bytes, expected " + std::to_string(value_size),
                     {}};
    }
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t size = (info.max_entries * value_size + page - 1) / page * page;
    void* start = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
    if (start == MAP_FAILED) return os_error("map, '" + std::string(info.name) + "'", errno);
    return MappedMemory(start, size, info.max_entries);
}

MappedMemory::~MappedMemory() {
    if (start_) ::munmap(start_, size_);
}

}  // namespace umbra::loader
