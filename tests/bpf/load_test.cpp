// What loading needs: the verifier's budget and two capabilities.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cap-ng.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <regex>

#include "bpf/prog_runner.h"
#include "bpf/umbra_object.h"

namespace umbra::test {
namespace {

constexpr long kInstructionBudget = 100'000;
constexpr std::size_t kLogBytes = 64 * 1024;

class ObjectWithLogs {
public:
    ObjectWithLogs() : object_(open_object()) {
        if (!object_) return;
        bpf_program* program = nullptr;
        bpf_object__for_each_program(program, object_) {
            logs_.emplace_back(bpf_program__name(program), std::string(kLogBytes, '\0'));
        }
        std::size_t index = 0;
        bpf_object__for_each_program(program, object_) {
            std::string& log = logs_[index++].second;
            bpf_program__set_log_buf(program, log.data(), log.size());
            bpf_program__set_log_level(program, 4);  // statistics only
        }
    }
    ~ObjectWithLogs() { bpf_object__close(object_); }

    bool load() { return object_ && bpf_object__load(object_) == 0; }
    const std::vector<std::pair<std::string, std::string>>& logs() const { return logs_; }

private:
    bpf_object* object_;
    std::vector<std::pair<std::string, std::string>> logs_;
};

TEST(Verifier, stays_within_the_budget) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ObjectWithLogs object;
    ASSERT_TRUE(object.load());
    ASSERT_EQ(object.logs().size(), 6u);
    for (const auto& [name, log] : object.logs()) {
        std::smatch found;
        const std::string text(log.c_str());
        ASSERT_TRUE(std::regex_search(text, found, std::regex("processed ([0-9]+) insns"))) << name << ": " << text;
        const long processed = std::stol(found[1]);
        std::printf("%-16s %ld instructions processed\n", name.c_str(), processed);
        EXPECT_LE(processed, kInstructionBudget) << name;
    }
}

// In a child, because capabilities do not come back.
int load_with(std::initializer_list<unsigned> capabilities) {
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0) {
        if (!enter_new_namespace()) ::_exit(77);
        capng_clear(CAPNG_SELECT_BOTH);
        for (const unsigned capability : capabilities)
            capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), capability);
        if (capng_apply(CAPNG_SELECT_CAPS) != 0) ::_exit(77);
        auto datapath = loader::Datapath::make({});
        if (!datapath) ::_exit(static_cast<int>(datapath.error().code));
        ::_exit((*datapath)->apply({}) ? 0 : 78);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Capabilities, bpf_and_net_admin_are_enough) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    EXPECT_EQ(load_with({CAP_BPF, CAP_NET_ADMIN}), 0);
}

TEST(Capabilities, without_them_the_error_says_privilege) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    EXPECT_EQ(load_with({}), static_cast<int>(ErrorCode::privilege));
    EXPECT_EQ(load_with({CAP_NET_ADMIN}), static_cast<int>(ErrorCode::privilege));
}

}  // namespace
}  // namespace umbra::test
