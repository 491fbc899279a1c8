#include "agent/syscall_filter.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <string>

namespace umbra::agent {

namespace {

// A sanitizer's runtime traces itself, forks and writes files: there, what is not listed is logged instead of refused.
#ifndef __has_feature
#define __has_feature(name) 0  // clang's way to say it
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr int kAllowed[] = {
    // bytes in and out
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(close),
    SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(statx), SCMP_SYS(access),
    SCMP_SYS(fcntl), SCMP_SYS(readlink), SCMP_SYS(getdents64),
    // connections
    SCMP_SYS(connect), SCMP_SYS(shutdown), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    // waiting
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
    SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(futex), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(sched_yield),
    SCMP_SYS(restart_syscall),
    // memory
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(membarrier),
    // threads and signals
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack),
    SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(sched_getaffinity), SCMP_SYS(getrandom), SCMP_SYS(prlimit64),
    SCMP_SYS(getrlimit), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
    SCMP_SYS(getegid), SCMP_SYS(getcpu)};

constexpr int kDeadly[] = {SCMP_SYS(execve),
                           SCMP_SYS(execveat),
                           SCMP_SYS(ptrace),
                           SCMP_SYS(process_vm_readv),
                           SCMP_SYS(process_vm_writev),
                           SCMP_SYS(mount),
                           SCMP_SYS(umount2),
                           SCMP_SYS(pivot_root),
                           SCMP_SYS(chroot),
                           SCMP_SYS(setns),
                           SCMP_SYS(unshare),
                           SCMP_SYS(init_module),
                           SCMP_SYS(finit_module),
                           SCMP_SYS(delete_module),
                           SCMP_SYS(kexec_load),
                           SCMP_SYS(reboot),
                           SCMP_SYS(keyctl),
                           SCMP_SYS(add_key),
                           SCMP_SYS(request_key),
                           SCMP_SYS(perf_event_open),
                           SCMP_SYS(userfaultfd),
                           SCMP_SYS(io_uring_setup),
                           SCMP_SYS(fork),
                           SCMP_SYS(vfork),
                           SCMP_SYS(pidfd_getfd),
                           SCMP_SYS(open_by_handle_at)};

scmp_arg_cmp equals(unsigned argument, std::uint64_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }

scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
    return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

class Filter {
public:
    Filter() : context_(::seccomp_init(kSanitized ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(EPERM))) {
        if (context_) error_ = ::seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    }
    ~Filter() {
        if (context_) ::seccomp_release(context_);
    }
    Filter(const Filter&) = delete;
    Filter& operator=(const Filter&) = delete;

    void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> conditions = {}) {
        if (!context_ || error_ != 0) return;
        error_ = ::seccomp_rule_add_array(context_, action, call, static_cast<unsigned>(conditions.size()),
                                          conditions.begin());
    }
    Result<void> load() {
        if (!context_) return Error{ErrorCode::failure, "make, system call filter: out of memory"};
        if (error_ == 0) error_ = ::seccomp_load(context_);
        if (error_ == 0) return {};
        return Error{ErrorCode::unsupported, std::string("load, system call filter: ") + std::strerror(-error_),
                     "the kernel must have CONFIG_SECCOMP_FILTER"};
    }

private:
    scmp_filter_ctx context_;
    int error_ = 0;
};

void add_descriptors(Filter& filter) {
    // Connections to mirrors alone; the channel and the maps came with the process.
    for (const int family : {AF_INET, AF_INET6}) {
        filter.add(SCMP_ACT_ALLOW, SCMP_SYS(socket),
                   {equals(0, static_cast<std::uint64_t>(family)),
                    masked(1, 0xffffffff & ~std::uint64_t{SOCK_CLOEXEC | SOCK_NONBLOCK}, SOCK_STREAM)});
    }
    // Not those of terminals and of the capture device, which could be told to outlive the agent.
    for (const std::uint64_t command : {FIONBIO, FIONREAD})
        filter.add(SCMP_ACT_ALLOW, SCMP_SYS(ioctl), {equals(1, command)});
    // Elements of the maps that it holds: muted flows and own connections.
    for (const auto command : {BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM, BPF_OBJ_GET_INFO_BY_FD})
        filter.add(SCMP_ACT_ALLOW, SCMP_SYS(bpf), {equals(0, static_cast<std::uint64_t>(command))});
    // Certificates are read, nothing is written.
    constexpr std::uint64_t kWriting = O_ACCMODE | O_CREAT | O_TRUNC;
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(openat), {masked(2, kWriting, O_RDONLY)});
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(open), {masked(1, kWriting, O_RDONLY)});
}

void add_process(Filter& filter) {
    // Data is never code.
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(mmap), {masked(2, PROT_EXEC, 0)});
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(mprotect), {masked(2, PROT_EXEC, 0)});
    // Threads, no processes. The flags of clone3 lie in memory, out of sight: the C library then takes clone.
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(clone), {masked(0, CLONE_THREAD, CLONE_THREAD)});
    filter.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
    // Signals to itself, as abort() sends, and names of threads.
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(tgkill), {equals(0, static_cast<std::uint64_t>(::getpid()))});
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(prctl), {equals(0, PR_SET_NAME)});
}

}  // namespace

Result<void> filter_syscalls() {
    Filter filter;
    for (const int call : kAllowed) filter.add(SCMP_ACT_ALLOW, call);
    if (!kSanitized) {
        for (const int call : kDeadly) filter.add(SCMP_ACT_KILL_PROCESS, call);
    }
    add_descriptors(filter);
    add_process(filter);
    return filter.load();
}

}  // namespace umbra::agent
