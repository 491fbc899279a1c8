#include "offline/stream_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace umbra::offline {

namespace {

constexpr std::size_t kGathered = 16 * 1024;

int open_for_writing(const std::string& path, int mode) {
    return ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | mode, 0644);
}

}  // namespace

Result<void> StreamFiles::prepare(bool force) {
    const auto failed = [this](const std::string& cause, const std::string& hint) {
        return Error{ErrorCode::failure, "use folder '" + folder_ + "': " + cause, hint};
    };
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error) return failed(error.message(), "name a folder that you may write to with --out");
    const bool empty = std::filesystem::is_empty(folder_, error);
    if (error) return failed(error.message(), "name a folder with --out");
    if (!empty && !force)
        return failed("it is not empty", "name another one with --out, or write into this one with --force");
    if (::access(folder_.c_str(), W_OK | X_OK) != 0)
        return failed(std::strerror(errno), "name a folder that you may write to with --out");
    return {};
}

void StreamFiles::fail(const std::string& attempt, const std::string& name, int cause) {
    if (failure_) return;
    const std::string hint = cause == ENOSPC || cause == EDQUOT ? "free some space or name another folder with --out"
                                                                : "check the folder, or name another one with --out";
    failure_ = Error{ErrorCode::failure, attempt + " '" + folder_ + "/" + name + "': " + std::strerror(cause), hint};
}

StreamFiles::File* StreamFiles::open_file(std::uint32_t id, const std::string& name) {
    if (const auto known = by_id_.find(id); known != by_id_.end()) {
        files_.splice(files_.begin(), files_, known->second);
        return &files_.front();
    }
    if (files_.size() >= open_limit_) retire(std::prev(files_.end()));
    if (created_.size() <= id) created_.resize(id + 1);
    const int mode = created_[id] ? O_APPEND : O_CREAT | O_TRUNC;
    const std::string path = folder_ + "/" + name;
    UniqueFd fd(open_for_writing(path, mode));
    // The process may open fewer files than we would like to.
    while (!fd && errno == EMFILE && !files_.empty()) {
        retire(std::prev(files_.end()));
        fd.reset(open_for_writing(path, mode));
    }
    if (!fd) {
        fail("open file", name, errno);
        return nullptr;
    }
    created_[id] = true;
    files_.push_front({id, name, std::move(fd), {}});
    by_id_[id] = files_.begin();
    return &files_.front();
}

void StreamFiles::append(std::uint32_t id, const std::string& name, Bytes bytes) {
    if (failure_) return;
    File* const file = open_file(id, name);
    if (!file) return;
    if (file->gathered.size() + bytes.size() < kGathered) {
        file->gathered += as_text(bytes);
        return;
    }
    flush(*file, as_bytes(file->gathered));
    file->gathered.clear();
    if (bytes.size() < kGathered)
        file->gathered = as_text(bytes);
    else
        flush(*file, bytes);
}

void StreamFiles::flush(File& file, Bytes bytes) {
    while (!bytes.empty() && !failure_) {
        const auto written = ::write(file.fd.get(), bytes.data(), bytes.size());
        if (written >= 0)
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        else if (errno != EINTR)
            fail("write file", file.name, errno);
    }
}

void StreamFiles::retire(Files::iterator file) {
    flush(*file, as_bytes(file->gathered));
    if (::close(file->fd.release()) != 0) fail("close file", file->name, errno);
    by_id_.erase(file->id);
    files_.erase(file);
}

void StreamFiles::close(std::uint32_t id) {
    if (const auto known = by_id_.find(id); known != by_id_.end()) retire(known->second);
}

Result<void> StreamFiles::finish() {
    while (!files_.empty()) retire(files_.begin());
    if (failure_) return *failure_;
    return {};
}

}  // namespace umbra::offline
