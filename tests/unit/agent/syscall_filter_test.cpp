// What the terminator can still do behind its filter, tried in forked children.
#include "agent/syscall_filter.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <thread>

#include "base/unique_fd.h"

namespace umbra::agent {
namespace {

constexpr int kUnfiltered = 200;

// The wait status of a child that runs body behind the filter; body's result is its exit code.
int behind_filter(const std::function<int()>& body) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        ::_exit(filter_syscalls() ? body() : kUnfiltered);
    }
    int status = -1;
    ::waitpid(pid, &status, 0);
    return status;
}

// The errno of a call that must fail; 0 when it does not.
int refusal_of(const std::function<long()>& call) {
    const int status = behind_filter([&] {
        errno = 0;
        return call() < 0 ? errno : 0;
    });
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int signal_of(const std::function<void()>& call) {
    const int status = behind_filter([&] {
        call();
        return 0;
    });
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(SyscallFilter, SocketsAreStreamsToMirrorsAlone) {
    EXPECT_EQ(refusal_of([] { return ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }), 0);
    EXPECT_EQ(refusal_of([] { return ::socket(AF_INET6, SOCK_STREAM, 0); }), 0);
    EXPECT_EQ(refusal_of([] { return ::socket(AF_INET, SOCK_DGRAM, 0); }), EPERM);
    for (const int family : {AF_UNIX, AF_NETLINK, AF_PACKET})
        EXPECT_EQ(refusal_of([family] { return ::socket(family, SOCK_STREAM, 0); }), EPERM) << family;
    EXPECT_EQ(refusal_of([] { return ::listen(::socket(AF_INET, SOCK_STREAM, 0), 1); }), EPERM);
}

TEST(SyscallFilter, FilesAreReadOnly) {
    EXPECT_EQ(refusal_of([] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }), 0);
    for (const int flags : {O_WRONLY, O_RDWR, O_RDONLY | O_CREAT, O_RDONLY | O_TRUNC})
        EXPECT_EQ(refusal_of([flags] { return ::open("/dev/null", flags, 0600); }), EPERM) << flags;
    EXPECT_EQ(refusal_of([] { return ::unlink("/tmp/umbra-no-such-file"); }), EPERM);
}

TEST(SyscallFilter, DataIsNeverCode) {
    const auto page = [](int protection) {
        return ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
    };
    EXPECT_EQ(refusal_of([&] { return page(PROT_READ | PROT_WRITE); }), 0);
    EXPECT_EQ(refusal_of([&] { return page(PROT_READ | PROT_EXEC); }), EPERM);
}

TEST(SyscallFilter, AnIntruderIsKilled) {
    char name[] = "/bin/true";
    char* const arguments[] = {name, nullptr};
    EXPECT_EQ(signal_of([&] { ::execv(name, arguments); }), SIGSYS);
    EXPECT_EQ(signal_of([] { ::unshare(CLONE_NEWUSER); }), SIGSYS);
}

TEST(SyscallFilter, NoProcessesAndNoSignalsToOthers) {
    EXPECT_EQ(refusal_of([]() -> long { return ::fork(); }), EPERM);
    EXPECT_EQ(refusal_of([] { return ::kill(::getppid(), 0); }), EPERM);
    EXPECT_EQ(signal_of([] { ::abort(); }), SIGABRT);
}

TEST(SyscallFilter, ThreadsStartAndWait) {
    const int status = behind_filter([] {
        int sum = 0;
        std::thread([&sum] { sum = 7; }).join();
        return sum;
    });
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
}

TEST(SyscallFilter, DevicesCannotBeMadeToStay) {
    const UniqueFd file(::open("/dev/null", O_RDONLY));
    EXPECT_EQ(refusal_of([&] { return ::ioctl(file.get(), TUNSETPERSIST, 1); }), EPERM);
    EXPECT_EQ(refusal_of([&] { return ::ioctl(file.get(), TIOCSTI, "x"); }), EPERM);
}

TEST(SyscallFilter, MapsThatItHoldsAndNoPrograms) {
    const UniqueFd map(bpf_map_create(BPF_MAP_TYPE_HASH, "umbra_test", 4, 8, 4, nullptr));
    if (!map) GTEST_SKIP() << "needs CAP_BPF";
    EXPECT_EQ(refusal_of([&] {
                  const std::uint32_t key = 1;
                  const std::uint64_t value = 2;
                  return bpf_map_update_elem(map.get(), &key, &value, BPF_ANY);
              }),
              0);
    const bpf_insn nothing[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
    EXPECT_EQ(
        refusal_of([&] { return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, nullptr, "GPL", nothing, 2, nullptr); }),
        EPERM);
    EXPECT_EQ(refusal_of([] { return bpf_obj_get("/sys/fs/bpf/umbra"); }), EPERM);
    EXPECT_EQ(refusal_of([] { return bpf_map_create(BPF_MAP_TYPE_HASH, "umbra_more", 4, 8, 4, nullptr); }), EPERM);
}

}  // namespace
}  // namespace umbra::agent
