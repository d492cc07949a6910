// The ways out of an inner container, tried in every mode. ESCAPE_TABLE=FILE writes the table of
// docs/security.md.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "base/strings.hpp"
#include "contained_engine.hpp"
#include "outer_network.hpp"
#include "sys/files.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::contain {
namespace {

using engine::ContainmentRequest;

// What was tried → "open" or why not, in the order of trying.
using Rows = std::vector<std::pair<std::string, std::string>>;

struct Way {
    const char* name;
    std::vector<std::string> options;
};

const Way kPlain{"docker run", {}};
const Way kPrivileged{
    "docker run --privileged",
    {"--privileged", "--pid=host", "--network=host", "--ipc=host", "--uts=host", "-v", "/:/host"}};
const std::vector<Way> kSingleFlags{
    {"--privileged", {"--privileged"}},
    {"--cap-add=ALL", {"--cap-add=ALL"}},
    {"--pid=host", {"--pid=host"}},
    {"--network=host", {"--network=host"}},
    {"--ipc=host", {"--ipc=host"}},
    {"--uts=host", {"--uts=host"}},
    {"--security-opt seccomp=unconfined", {"--security-opt", "seccomp=unconfined"}},
    {"-v /:/host", {"-v", "/:/host"}},
    {"-v /proc:/host/proc", {"-v", "/proc:/host/proc", "-v", "/sys:/host/sys"}}};

class EscapeTest : public testing::Test {
  protected:
    void SetUp() override { SUPERVISOR_CONTAIN_OR_SKIP(); }

    // An engine in `request` mode, and beside it what an inner job must not reach.
    void start(ContainmentRequest request) {
        EngineOptions options;
        options.request = request;
        engine_ = std::make_unique<ContainedEngine>(options);
        const auto started = engine_->start();
        ASSERT_TRUE(started) << started.error().message();
        secret_ = engine_->base() + "/secret";
        ASSERT_TRUE(sys::replace_file(secret_, "secret\n", 0600));
        socket_path_ = engine_->inputs().run_directory + "-outer.sock";
        socket_ = std::move(sys::listen_unix(socket_path_, {0, 0, 0600}).value());
        (void)::syscall(SYS_add_key, "user", "contain-secret", "x", 1, KEY_SPEC_USER_KEYRING);
        outer_ = engine_->outside("CONTAIN_SECRET=1 sleep " + marker() + " >/dev/null 2>&1 & echo $!").text;
    }
    void TearDown() override {
        if (!engine_) return;
        engine_->outside("kill " + outer_);
        (void)sys::remove_file(socket_path_);
        engine_.reset();
    }

    static std::string marker() { return fmt::format("31{}", ::getpid()); }

    Rows attempt(const Way& way) {
        std::vector<std::string> words{"run", "--rm", "-v", std::string(ESCAPE_PROBE) + ":/escape_probe:ro"};
        words.insert(words.end(), way.options.begin(), way.options.end());
        words.insert(words.end(),
                     {"box", "/escape_probe", OuterNetwork::kOuter, secret_, socket_path_, marker()});
        const auto output = engine_->docker(words);
        Rows rows;
        for (const auto& line : split_lines(output.text)) {
            const auto tab = line.find('\t');
            if (tab != std::string_view::npos) rows.emplace_back(line.substr(0, tab), line.substr(tab + 1));
        }
        if (std::getenv("ESCAPE_VERBOSE") != nullptr) std::printf("%s\n%s", way.name, output.text.c_str());
        EXPECT_GT(rows.size(), 30U) << way.name << ": " << output.text;
        return rows;
    }

    OuterNetwork network_;
    std::unique_ptr<ContainedEngine> engine_;
    std::string secret_;
    std::string socket_path_;
    UniqueFd socket_;
    std::string outer_;
};

std::vector<std::string> open_ones(const Rows& rows) {
    std::vector<std::string> names;
    for (const auto& [name, result] : rows)
        if (result == "open") names.push_back(name);
    return names;
}

TEST_F(EscapeTest, NothingIsOpenInAUserNamespace) {
    start(ContainmentRequest::Userns);
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_THAT(open_ones(attempt(kPlain)), testing::IsEmpty());
    EXPECT_THAT(open_ones(attempt(kPrivileged)), testing::IsEmpty());
}

TEST_F(EscapeTest, NoSingleFlagOpensAnything) {
    start(ContainmentRequest::Userns);
    ASSERT_FALSE(HasFatalFailure());
    for (const auto& way : kSingleFlags) EXPECT_THAT(open_ones(attempt(way)), testing::IsEmpty()) << way.name;
}

// Without this the tests above could pass because the attempts are wrong.
TEST_F(EscapeTest, WithoutContainmentMostIsOpen) {
    start(ContainmentRequest::Off);
    ASSERT_FALSE(HasFatalFailure());
    const auto open = open_ones(attempt(kPrivileged));
    for (const char* name :
         {"write kernel.core_pattern", "make a disk's node", "open_by_handle_at", "list BPF programs",
          "set the clock", "signal an outer process", "environment of an outer process",
          "enter outer namespaces", "use the outer network's address", "connect to an outer socket",
          "read a file of the outer root", "write a file of the outer root"}) {
        EXPECT_THAT(open, testing::Contains(name));
    }
    EXPECT_THAT(open_ones(attempt(kPlain)), testing::ElementsAre("make a disk's node"))
        << "which it cannot open";
}

TEST_F(EscapeTest, CutCapabilitiesCloseTheStraightWays) {
    start(ContainmentRequest::Caps);
    ASSERT_FALSE(HasFatalFailure());
    const auto open = open_ones(attempt(kPrivileged));
    for (const char* name : {"load a module", "load a kernel (kexec)", "reboot", "set the clock", "swap off",
                             "process accounting", "raw I/O ports", "open_by_handle_at", "open /dev/mem",
                             "read the kernel's log state", "count events of a CPU (perf)"}) {
        EXPECT_THAT(open, testing::Not(testing::Contains(name)));
    }
    // Why nothing in /proc/sys and /sys is covered: whoever is privileged mounts them once more.
    const auto undone = engine_->docker(
        {"run", "--rm", "--privileged", "box", "sh", "-c",
         "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && "
         "cat /proc/sys/kernel/core_pattern >/tmp/p && ! cat /tmp/p >/proc/sys/kernel/core_pattern && "
         "mkdir /p /s && mount -t proc proc /p && cat /tmp/p >/p/sys/kernel/core_pattern && "
         "mount -t sysfs sysfs /s && test -w /s/kernel/uevent_seqnum && echo undone"});
    EXPECT_THAT(undone.text, testing::EndsWith("undone\n"));
}

// What is refused without containment, too, proves nothing about it: the reason says whether this machine has
// such a thing at all.
std::string cell(const std::string& result, const std::string& without_containment) {
    if (result == "open") return "**open**";
    return without_containment == "open" ? "refused" : "(" + result + ")";
}

TEST_F(EscapeTest, WritesTheTable) {
    // docs/security.md holds what this wrote last; run in the build directory it leaves a copy to compare
    // with.
    const char* asked = std::getenv("ESCAPE_TABLE");
    const std::string path = asked == nullptr ? "escape-table.md" : asked;
    std::vector<Rows> columns;
    for (const auto request :
         {ContainmentRequest::Userns, ContainmentRequest::Caps, ContainmentRequest::Off}) {
        start(request);
        ASSERT_FALSE(HasFatalFailure());
        columns.push_back(attempt(kPlain));
        columns.push_back(attempt(kPrivileged));
        TearDown();
    }
    std::ofstream table(path);
    table << "| attempt | userns: job | userns: privileged | caps: job | caps: privileged | off: job | off: "
             "privileged |\n"
             "|---|---|---|---|---|---|---|\n";
    for (std::size_t row = 0; row < columns.front().size(); ++row) {
        table << "| " << columns.front()[row].first;
        const auto& reference = columns.back().at(row).second;
        for (const auto& column : columns) table << " | " << cell(column.at(row).second, reference);
        table << " |\n";
    }
    EXPECT_GT(columns.front().size(), 20U);
    EXPECT_TRUE(table.good());
}

}  // namespace
}  // namespace supervisor::contain
