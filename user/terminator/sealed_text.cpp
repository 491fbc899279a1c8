#include "terminator/sealed_text.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace umbra {

namespace {

Error failed(const std::string& attempt) { return {ErrorCode::failure, attempt + ": " + std::strerror(errno), {}}; }

}  // namespace

Result<UniqueFd> seal_text(std::string_view text, const std::string& what) {
    UniqueFd file(::memfd_create(("umbra-" + what).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file) return failed("create memory for the " + what);
    for (std::size_t done = 0; done < text.size();) {
        const auto written = ::write(file.get(), text.data() + done, text.size() - done);
        if (written < 0) return failed("write the " + what);
        done += static_cast<std::size_t>(written);
    }
    if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return failed("seal the " + what);
    return file;
}

Result<MappedText> MappedText::map(int fd, std::size_t most, const std::string& what) {
    struct stat status {};
    if (::fstat(fd, &status) != 0 || status.st_size <= 0 || static_cast<std::size_t>(status.st_size) > most)
        return Error{ErrorCode::failure, "receive " + what + ": impossible size", {}};
    const auto size = static_cast<std::size_t>(status.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED) return failed("map " + what);
    return MappedText(memory, size);
}

MappedText::~MappedText() {
    if (start_) ::munmap(start_, size_);
}

}  // namespace umbra
