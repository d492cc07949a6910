// A stop at an unfavourable moment: in order, in its budget, told in the last line, nothing left, data good
// for the next start.
#include <gmock/gmock.h>

#include <stdlib.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "e2e/fixture.hpp"
#include "support/host_snapshot.hpp"

namespace e2e {
namespace {

using test_support::eventually;
using test_support::HostSnapshot;
using test_support::left_behind;
using test_support::lines;
using test_support::run_command;
using test_support::Volume;
using ::testing::ContainsRegex;
using ::testing::IsEmpty;

struct Moment {
    const char* name;
    Arguments options;        // of docker run
    Arguments command;        // after the image
    const char* preparation;  // a shell script, in the container, with the engine up
    const char* last_line;    // what the end of it matches
};

const Arguments kSleep{"--", "sleep", "600"};
constexpr const char* kAnyEnd = "(nothing had to be killed|had to kill [a-z0-9].*)";

// A server that takes connections and never answers, inside: what hangs on it hangs for good.
constexpr const char* kPull =
    "docker run -d -p 5000:5000 inner-busybox:test sh -c 'while :; do sleep 900 | nc -l -p 5000; done' && "
    "sleep 1; docker pull 127.0.0.1:5000/slow >/dev/null 2>&1 & sleep 2; pgrep -f '[d]ocker pull'";
constexpr const char* kCompose =
    "mkdir -p /tmp/c && cd /tmp/c && printf 'services:\\n  a: &a\\n    image: inner-busybox:test\\n    "
    "command: "
    "sleep 900\\n  b: *a\\n  c: *a\\n  d: *a\\n' >compose.yaml && (docker compose up >/dev/null 2>&1 &) && "
    "until [ -n \"$(docker ps -aq)\" ]; do sleep 0.02; done";
constexpr const char* kBuild =
    "printf 'FROM inner-busybox:test\\nRUN trap \"\" TERM; while :; do sleep 1; done\\n' >/tmp/Dockerfile && "
    "(DOCKER_BUILDKIT=0 docker build - </tmp/Dockerfile >/dev/null 2>&1 &) && "
    "until [ -n \"$(docker ps -q)\" ]; do sleep 0.1; done";
constexpr const char* kForkBomb =
    "docker run -d --pids-limit 150 inner-busybox:test sh -c "
    "'trap \"\" TERM; b() { b & b & }; b; while :; do sleep 1; done' && sleep 2";
constexpr const char* kDaemon =
    "(setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' &); (setsid setsid sleep 900 &); "
    "exec sleep 600";
constexpr const char* kTwentyStubborn =
    "for i in $(seq 20); do docker run -d inner-busybox:test sh -c 'trap \"\" TERM INT; while :; do sleep 1; "
    "done' & done; wait; [ $(docker ps -q | wc -l) = 20 ]";

const Moment kMoments[] = {
    {"WithAPausedContainer",
     {},
     kSleep,
     "docker run -d --name paused inner-busybox:test sleep 900 && docker pause paused",
     "had to kill 1 inner container"},
    {"WhileAPullHangs", {}, kSleep, kPull, kAnyEnd},
    {"WhileABuildRuns", {}, kSleep, kBuild, kAnyEnd},
    {"WhileComposeStartsServices", {}, kSleep, kCompose, kAnyEnd},
    {"WithAForkBombInside", {}, kSleep, kForkBomb, "had to kill 1 inner container"},
    {"WithTwentyStubbornContainers", {}, kSleep, kTwentyStubborn, "had to kill 20 inner containers"},
    {"WithDaemonsThatAJobLeft",
     {},
     {"--", "sh", "-c", kDaemon},
     "until pgrep -f '[t]rap .* TERM HUP INT'; do sleep 0.1; done",
     "had to kill processes that jobs had left"},
    {"WithAShellOnATerminal",
     {"-i", "-t"},
     {"--shell"},
     "docker run -d inner-busybox:test sleep 900",
     "had to kill 1 inner container"},
    {"WithASessionFromOutside",
     {},
     kSleep,
     "(setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' >/dev/null 2>&1 </dev/null &)",
     "had to kill leftover processes"},
};

class Teardown : public EndToEnd {
  protected:
    static void expect_end(const Container& container, const std::string& last_line) {
        EXPECT_EQ(container.exit_status(seconds(20)), 0) << container.logs();
        // Stdout's last line; what comes on stderr may stand behind it.
        std::string end;
        for (const std::string& line : lines(container.logs())) {
            if (line.find("ended (") != std::string::npos) end = line;
        }
        EXPECT_THAT(end,
                    ContainsRegex("gocd-supervisor\\] ended \\(SIGTERM\\) after [0-9.]+ m?s, status 0; " +
                                  last_line));
        std::cout << end << "\n";
    }

    static void expect_nothing_left(const HostSnapshot& before) {
        std::vector<std::string> left;
        eventually([&] { return (left = left_behind(before, HostSnapshot::take())).empty(); }, seconds(5));
        EXPECT_THAT(left, IsEmpty());
    }
};

class TeardownAt : public Teardown, public ::testing::WithParamInterface<Moment> {};

TEST_P(TeardownAt, IsCompleteAndTold) {
    const Moment& moment = GetParam();
    const HostSnapshot before = HostSnapshot::take();
    {
        const Volume data("data");
        Arguments options{"-v", data.name() + ":/var/lib/docker"};
        options.insert(options.end(), moment.options.begin(), moment.options.end());
        {
            const Container container(dind(options, moment.command));
            ASSERT_TRUE(becomes_healthy(container)) << container.logs();
            ASSERT_TRUE(load_inner_image(container));
            const auto prepared = container.exec({"sh", "-c", moment.preparation}, seconds(90));
            ASSERT_TRUE(prepared.ok()) << prepared.text();
            EXPECT_TRUE(container.stop(10).ok());
            expect_end(container, moment.last_line);
        }
        const Container next(dind({"-v", data.name() + ":/var/lib/docker"}, kSleep));
        ASSERT_TRUE(becomes_healthy(next)) << next.logs();
        EXPECT_EQ(next.exec({"docker", "ps", "-q"}).out, "") << "nothing runs that the stop had ended";
        EXPECT_EQ(next.exec({"docker", "run", "--rm", "inner-busybox:test", "echo", "again"}).out, "again\n");
        EXPECT_TRUE(next.stop(10).ok());
    }
    expect_nothing_left(before);
}

INSTANTIATE_TEST_SUITE_P(Stop, TeardownAt, ::testing::ValuesIn(kMoments),
                         [](const auto& moment) { return std::string(moment.param.name); });

// --- a process that no signal reaches ---

// A file system on the host that can be stopped: who writes to it then is in uninterruptible sleep.
class Freezer {
  public:
    Freezer() {
        char name[] = "/var/tmp/frozen-XXXXXX";
        folder_ = ::mkdtemp(name);
        const std::string image = folder_ + "/image";
        ready_ = run_command({"truncate", "-s", "16M", image}).ok() &&
                 run_command({"mkfs.ext4", "-q", image}).ok() && run_command({"mkdir", mount()}).ok() &&
                 run_command({"mount", "-o", "loop", image, mount()}).ok() &&
                 run_command({"chmod", "777", mount()}).ok();
    }
    Freezer(const Freezer&) = delete;
    Freezer& operator=(const Freezer&) = delete;
    ~Freezer() {
        thaw();
        (void)run_command({"umount", mount()});
        (void)run_command({"rm", "-rf", "--one-file-system", folder_});
    }
    [[nodiscard]] bool ready() const { return ready_; }
    [[nodiscard]] std::string mount() const { return folder_ + "/mount"; }
    [[nodiscard]] bool freeze() { return frozen_ = run_command({"fsfreeze", "-f", mount()}).ok(); }
    void thaw() {
        if (std::exchange(frozen_, false)) (void)run_command({"fsfreeze", "-u", mount()});
    }

  private:
    std::string folder_;
    bool ready_ = false;
    bool frozen_ = false;
};

class Uninterruptible : public Teardown {
  protected:
    // A writer of a job and one in an inner container, both stuck.
    static void get_stuck(const Container& container, Freezer& freezer) {
        ASSERT_TRUE(becomes_healthy(container)) << container.logs();
        ASSERT_TRUE(load_inner_image(container));
        const auto started = container.exec(
            {"sh", "-c",
             "docker run -d -v /frozen:/frozen inner-busybox:test sh -c "
             "'while :; do echo x >>/frozen/inner; done' && "
             "(setsid sh -c 'while :; do echo x >>/frozen/outer; done' >/dev/null 2>&1 </dev/null &) && "
             "until [ -s /frozen/inner ] && [ -s /frozen/outer ]; do sleep 0.1; done"},
            seconds(60));
        ASSERT_TRUE(started.ok()) << started.text();
        ASSERT_TRUE(freezer.freeze());
        ASSERT_TRUE(eventually(
            [&] {
                const auto states = container.exec({"ps", "-eo", "stat="}).out;
                return std::count(states.begin(), states.end(), 'D') >= 2;
            },
            seconds(20)))
            << container.exec({"ps", "-ef"}).out;
    }
};

TEST_F(Uninterruptible, AWhileIsWaitedFor) {
    const HostSnapshot before = HostSnapshot::take();
    {
        Freezer freezer;
        ASSERT_TRUE(freezer.ready());
        const Container container(dind({"-v", freezer.mount() + ":/frozen"}, kSleep));
        get_stuck(container, freezer);
        ASSERT_FALSE(HasFatalFailure());
        ASSERT_TRUE(run_command({"docker", "kill", "--signal=TERM", container.name()}).ok());
        test_support::pause_for(seconds(2));
        freezer.thaw();
        expect_end(container, "had to kill .*inner container");
    }
    expect_nothing_left(before);
}

TEST_F(Uninterruptible, BeyondTheBudgetTheEndIsToldInTime) {
    const HostSnapshot before = HostSnapshot::take();
    {
        Freezer freezer;
        ASSERT_TRUE(freezer.ready());
        const Container container(
            dind({"-v", freezer.mount() + ":/frozen"}, {"--stop-timeout=4s", "--", "sleep", "600"}));
        get_stuck(container, freezer);
        ASSERT_FALSE(HasFatalFailure());
        ASSERT_TRUE(run_command({"docker", "kill", "--signal=TERM", container.name()}).ok());
        // The kernel keeps PID 1 until the last process of its namespace is gone; its last line is out by
        // then.
        EXPECT_TRUE(container.wait_for_log("ended (SIGTERM) after", seconds(30))) << container.logs();
        freezer.thaw();
        expect_end(container, "had to kill ");
    }
    expect_nothing_left(before);
}

}  // namespace
}  // namespace e2e
