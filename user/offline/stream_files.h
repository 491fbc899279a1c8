// StreamFiles: the files of one folder, written by appending to any of them at any time. At most `open_limit` are open;
// the one that was not written longest is closed for another and opened again when more comes. Bytes are gathered per
// open file. The first failure ends all writing and is kept. Owns the descriptors.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace umbra::offline {

class StreamFiles {
public:
    static constexpr std::size_t kOpenLimit = 256;

    explicit StreamFiles(std::string folder, std::size_t open_limit = kOpenLimit)
        : folder_(std::move(folder)), open_limit_(open_limit) {}

    // Makes the folder. Without `force` it must be new or empty; with it, files of the same names are written anew.
    Result<void> prepare(bool force);

    // The file of that name is created when the first bytes come, or with begin().
    void begin(std::uint32_t id, const std::string& name) { append(id, name, {}); }
    void append(std::uint32_t id, const std::string& name, Bytes bytes);
    void close(std::uint32_t id);
    // Writes what is gathered and closes all. The first failure of all that was done.
    Result<void> finish();
    const std::optional<Error>& failure() const { return failure_; }
    std::size_t open() const { return files_.size(); }

private:
    struct File {
        std::uint32_t id;
        std::string name;
        UniqueFd fd;
        std::string gathered;
    };
    using Files = std::list<File>;

    File* open_file(std::uint32_t id, const std::string& name);
    void flush(File& file, Bytes bytes);
    void retire(Files::iterator file);
    void fail(const std::string& attempt, const std::string& name, int cause);

    const std::string folder_;
    const std::size_t open_limit_;
    Files files_;  // the one written last is the first
    std::unordered_map<std::uint32_t, Files::iterator> by_id_;
    std::vector<bool> created_;  // by id
    std::optional<Error> failure_;
};

}  // namespace umbra::offline
