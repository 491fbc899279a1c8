// Memory that runs out: the n-th allocation of the standard run fails, for every n. Nothing ends by a signal, nothing
// leaks, the ledger closes, what reaches a mirror is exact, and the worker goes on.
//
// Runs are made in processes of their own, one per core, each of which makes every so-many-th; UMBRA_ALLOC_N=n makes
// the run that fails at n, alone.
#include <gtest/gtest.h>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>

#include "alloc/injector.h"
#include "alloc/standard_run.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#define UMBRA_TEST_LEAKS() __lsan_do_recoverable_leak_check()
#endif
#endif
#ifndef UMBRA_TEST_LEAKS
#define UMBRA_TEST_LEAKS() 0
#endif

namespace umbra::test {
namespace {

constexpr std::uint64_t kRuns = 2000;
constexpr std::uint64_t kBurst = 40, kBurstStep = 25, kColdStep = 10;
constexpr int kKept = 20;  // OpenSSL keeps the texts of its last 16 errors

// Shared with the processes.
struct Progress {
    std::uint64_t at[64] = {};
    std::atomic<std::uint64_t> gave_up = 0, others = 0;
};

RunRecord run(std::uint64_t failing, std::uint64_t how_many = 1) {
    fail_allocation(failing, how_many);
    return StandardRun().play();
}

// The other reference is a run in which the second plan is refused.
std::vector<RunRecord> references() {
    fail_allocation(0);
    std::vector<RunRecord> made;
    made.push_back(StandardRun().play());
    made.push_back(StandardRun(false).play());
    return made;
}

// The runs of one process. Says what is wrong.
class Runner {
public:
    explicit Runner(Progress& progress) : progress_(progress), references_(references()) {
        run(1);  // whatever is made once is made
        living_ = living_blocks();
    }
    void make(std::uint64_t n, std::uint64_t how_many) {
        judge(n, run(n, how_many));
        if (how_many > 1 || living_blocks() == living_) return;
        // Something that is kept for the next time, or something that is left each time?
        for (int again = 0; again < kKept && living_blocks() != living_; ++again) {
            living_ = living_blocks();
            run(n, how_many);
        }
        if (living_blocks() != living_)
            complain(n, std::to_string(living_blocks() - living_) + " blocks were not given back");
    }
    bool wrong() const { return wrong_ > 0; }

private:
    void judge(std::uint64_t n, const RunRecord& record) {
        if (!allocation_failed()) complain(n, "the run has fewer allocations");
        for (const auto& text : record.wrong) complain(n, text);
        for (const auto& text : strangers(record, references_)) complain(n, text);
        if (record.failed_before_it && !record.last_flow_mirrored) complain(n, "the last flow was not mirrored");
        ++(record.given_up > 0 ? progress_.gave_up : progress_.others);
    }
    void complain(std::uint64_t n, const std::string& text) {
        if (++wrong_ <= 20) std::printf("allocation %lu: %s\n", static_cast<unsigned long>(n), text.c_str());
    }

    Progress& progress_;
    std::vector<RunRecord> references_;
    std::int64_t living_ = 0;
    int wrong_ = 0;
};

class AllocationFailure : public testing::Test {
protected:
    AllocationFailure() : cores_(std::max(1u, std::thread::hardware_concurrency())) {
        void* const shared =
            ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        progress_ = new (shared) Progress;
        spdlog::set_level(spdlog::level::off);
        // The servers' buffers come and go in every run: not from the kernel.
        ::mallopt(M_MMAP_THRESHOLD, 64 << 20);
        ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
        std::setvbuf(stdout, nullptr, _IONBF, 0);
    }
    ~AllocationFailure() override { ::munmap(progress_, sizeof(Progress)); }

    // Each process makes the runs of its share; every ends with exit code 0.
    void in_processes(unsigned processes, const std::function<bool(unsigned)>& share, bool looks_for_leaks = true) {
        std::vector<pid_t> children;
        for (unsigned i = 0; i < processes; ++i) {
            const pid_t child = ::fork();
            if (child == 0) {
                const bool right = is_right(share, i);
                const bool leaks = looks_for_leaks && UMBRA_TEST_LEAKS() != 0;
                ::_exit(right && !leaks ? 0 : 1);
            }
            children.push_back(child);
        }
        for (unsigned i = 0; i < processes; ++i) {
            int status = 0;
            ASSERT_EQ(::waitpid(children[i], &status, 0), children[i]);
            EXPECT_EQ(status, 0) << "process " << i << " was at allocation " << progress_->at[i]
                                 << (WIFSIGNALED(status) ? ", and ended by signal " : ", and ended with status ")
                                 << (WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        }
    }
    static bool is_right(const std::function<bool(unsigned)>& share, unsigned process) {
        try {
            return share(process);
        } catch (const std::bad_alloc&) {
            std::printf("memory ran out where nothing catches it\n");
            return false;
        }
    }
    void every(std::uint64_t step, std::uint64_t how_many) {
        const char* const chosen = std::getenv("UMBRA_ALLOC_N");
        in_processes(
            chosen ? 1 : cores_,
            [&](unsigned process) {
                Runner runner(*progress_);
                for (std::uint64_t n = 1 + process * step; n <= kRuns; n += cores_ * step) {
                    if (chosen) n = std::strtoul(chosen, nullptr, 10);
                    progress_->at[process] = n;
                    runner.make(n, how_many);
                    if (chosen) break;
                }
                return !runner.wrong();
            },
            how_many == 1);
    }

    unsigned cores_;
    Progress* progress_;
};

TEST_F(AllocationFailure, TheStandardRunDoesEverything) {
    in_processes(1, [](unsigned) {
        run(0);  // makes what is made once
        const RunRecord record = run(0);
        std::printf("%lu allocations; %lu requests seen, %lu mirrored, %zu of HTTP/1, %zu streams, %zu raw\n",
                    static_cast<unsigned long>(allocations()), static_cast<unsigned long>(record.seen),
                    static_cast<unsigned long>(record.mirrored), record.requests.size(), record.streams.size(),
                    record.raw.size());
        for (const auto& text : record.wrong) std::printf("%s\n", text.c_str());
        return record.wrong.empty() && record.last_flow_mirrored && allocations() >= kRuns &&
               record.requests.size() >= 60 && record.streams.size() == 20 && record.raw.size() == 5;
    });
}

TEST_F(AllocationFailure, EveryOne) {
    every(1, 1);
    std::printf("%lu runs gave up requests for lack of memory, %lu did not\n",
                static_cast<unsigned long>(progress_->gave_up.load()),
                static_cast<unsigned long>(progress_->others.load()));
    EXPECT_GT(progress_->gave_up, std::getenv("UMBRA_ALLOC_N") ? 0 : kRuns / 2);
}

// Not that nothing leaks: libnghttp2 loses a frame where memory fails again while it gives up a stream.
TEST_F(AllocationFailure, ManyInARow) { every(kBurstStep, kBurst); }

// What is made once in a process fails, too; but for OpenSSL's tables, which a terminator makes at its start.
TEST_F(AllocationFailure, TheFirstOfAProcess) {
    const std::uint64_t runs = kRuns / kColdStep;
    for (std::uint64_t begin = 0; begin < runs; begin += cores_) {
        in_processes(cores_, [&](unsigned process) {
            const std::uint64_t n = progress_->at[process] = 1 + (begin + process) * kColdStep;
            const RunRecord record = run(n);
            for (const auto& text : record.wrong)
                std::printf("allocation %lu: %s\n", static_cast<unsigned long>(n), text.c_str());
            return record.wrong.empty();
        });
    }
}

}  // namespace
}  // namespace umbra::test
