#include "rules/source_text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/unique_fd.h"

namespace umbra::rules {

namespace fs = std::filesystem;

namespace {

bool is_document(const fs::path& path) {
    const auto extension = path.extension();
    return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

class SourceReader {
public:
    explicit SourceReader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

    void add(const std::string& path) {
        if (path == "-") return add_descriptor(STDIN_FILENO, "<stdin>");
        std::error_code failure;
        const auto status = fs::status(path, failure);
        if (!fs::exists(status)) return fail(path, "No such file or directory");
        if (failure) return fail(path, failure.message());
        if (fs::is_directory(status)) return add_folder(path);
        add_file(path);
    }

    std::vector<SourceText> take() { return std::move(sources_); }

private:
    void add_folder(const std::string& folder) {
        std::error_code failure;
        std::vector<std::string> files;
        fs::recursive_directory_iterator entry(folder, failure), end;
        while (!failure && entry != end && files.size() <= kMaxFiles) {
            std::error_code ignored;
            if (is_document(entry->path()) && entry->is_regular_file(ignored)) files.push_back(entry->path().string());
            entry.increment(failure);
        }
        if (failure) return fail(folder, failure.message());
        if (files.empty()) {
            diagnostics_.add(
                {Severity::warning, folder, 0, 0, "", "the folder has no *.yaml, *.yml or *.json file", ""});
        }
        std::sort(files.begin(), files.end());
        for (const auto& file : files) add_file(file);
    }

    void add_file(const std::string& path) {
        std::error_code ignored;
        const auto same = fs::weakly_canonical(path, ignored);
        if (!seen_.insert(ignored ? path : same.string()).second) return;
        if (seen_.size() > kMaxFiles) return fail(path, "more than " + std::to_string(kMaxFiles) + " files");
        const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd) return fail(path, std::strerror(errno));
        add_descriptor(fd.get(), path);
    }

    void add_descriptor(int fd, const std::string& name) {
        SourceText source{name, {}};
        const auto limit = std::min(kMaxFileBytes, kMaxInputBytes - total_);
        char buffer[65536];
        for (;;) {
            const auto got = ::read(fd, buffer, sizeof buffer);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return fail(name, std::strerror(errno));
            if (got == 0) break;
            source.text.append(buffer, static_cast<std::size_t>(got));
            if (source.text.size() > limit) return fail(name, "above the limit of " + std::to_string(limit) + " bytes");
        }
        total_ += source.text.size();
        sources_.push_back(std::move(source));
    }

    void fail(const std::string& name, const std::string& cause) {
        diagnostics_.add({Severity::error, name, 0, 0, "", "reading failed: " + cause, ""});
    }

    Diagnostics& diagnostics_;
    std::vector<SourceText> sources_;
    std::set<std::string> seen_;
    std::size_t total_ = 0;
};

}  // namespace

std::vector<SourceText> read_sources(const std::vector<std::string>& paths, Diagnostics& diagnostics) {
    SourceReader reader(diagnostics);
    for (const auto& path : paths) reader.add(path);
    return reader.take();
}

}  // namespace umbra::rules
