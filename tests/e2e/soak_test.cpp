// The same again and again: kills at random instants, a stop at every instant of the start, start and stop in
// a row. Counts are moderate by default; see soak.hpp.
#include <gmock/gmock.h>

#include <algorithm>
#include <iostream>
#include <random>

#include "e2e/fixture.hpp"
#include "e2e/soak.hpp"
#include "support/host_snapshot.hpp"

namespace e2e {
namespace {

using std::chrono::milliseconds;
using test_support::eventually;
using test_support::HostSnapshot;
using test_support::left_behind;
using test_support::lines;
using test_support::trimmed;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Soak : public EndToEnd {
  protected:
    static std::vector<std::string> settled(const HostSnapshot& before) {
        std::vector<std::string> left;
        eventually([&] { return (left = left_behind(before, HostSnapshot::take())).empty(); }, seconds(5));
        return left;
    }

    struct Size {
        long resident = 0;  // kilobytes
        long descriptors = 0;
    };
    static Size size_of_pid_one(const Container& container) {
        const auto read = container.exec(
            {"sh", "-c",
             "sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/1/status; ls /proc/1/fd | wc -l"});
        const auto words = lines(read.out);
        if (words.size() < 2) return {};
        return {std::atol(words[0].c_str()), std::atol(words[1].c_str())};
    }
};

// --- kills at random instants ---

struct Victim {
    const char* name;
    const char* pattern;
    const char* option;
};

class RandomKills : public Soak, public ::testing::WithParamInterface<Victim> {
  protected:
    // As many kills as a minute allows before the supervisor gives up, at instants that fall into restarts
    // too.
    static constexpr int kKillsInALife = 5;

    void live_through(int kills, std::mt19937& random) {
        const StubServer server({});
        const Container container(
            dind({"-e", "GO_SERVER_URL=" + server.url()}, {std::string(GetParam().option)}));
        ASSERT_TRUE(becomes_healthy(container)) << container.logs();
        ASSERT_TRUE(load_inner_image(container));
        ASSERT_TRUE(container
                        .exec({"sh", "-c",
                               "for i in 1 2 3; do docker run -d inner-busybox:test sleep 900 || exit; done"})
                        .ok());
        const auto sleepers = container.exec({"docker", "ps", "-q"}).out;
        const Size before = size_of_pid_one(container);
        const std::string kill = std::string("until p=$(pgrep -o -f '") + GetParam().pattern +
                                 "'); do sleep 0.01; done; kill -9 $p";
        for (int i = 0; i < kills; ++i) {
            test_support::pause_for(milliseconds(std::uniform_int_distribution<int>(0, 1'500)(random)));
            EXPECT_TRUE(container.exec({"sh", "-c", kill}).ok());
        }
        ASSERT_TRUE(becomes_healthy(container)) << container.logs();
        EXPECT_EQ(container.exec({"docker", "ps", "-q"}).out, sleepers);
        EXPECT_EQ(container.exec({"docker", "run", "--rm", "inner-busybox:test", "echo", "works"}).out,
                  "works\n")
            << container.logs();
        const Size after = size_of_pid_one(container);
        EXPECT_LE(after.descriptors, before.descriptors + 1) << "a helper may be under way";
        EXPECT_LE(after.resident, before.resident + 512) << "kilobytes";
        EXPECT_TRUE(container.stop(10).ok());
        EXPECT_EQ(container.exit_status(seconds(20)), 0) << container.logs();
    }
};

TEST_P(RandomKills, AreSurvivedWithEverythingThatRuns) {
    const HostSnapshot before = HostSnapshot::take();
    const unsigned seed = static_cast<unsigned>(repetitions("E2E_SEED", std::random_device()() >> 1U, 0));
    std::cout << "E2E_SEED=" << seed << "\n";
    std::mt19937 random(seed);
    int left = repetitions("E2E_RANDOM_KILLS", 3, 50);
    for (; left > 0 && !HasFailure(); left -= kKillsInALife)
        live_through(std::min(left, kKillsInALife), random);
    EXPECT_THAT(settled(before), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Soak, RandomKills,
                         ::testing::Values(Victim{"Dockerd", "[d]ockerd -H fd://", "--log-level=info"},
                                           Victim{"Containerd", "[c]ontainerd --config", "--log-level=info"},
                                           Victim{"Agent", "[a]gent.jar", "--log-level=info"},
                                           Victim{"Bootstrapper", "[a]gent-bootstrapper.jar",
                                                  "--agent-launch=bootstrapper"},
                                           Victim{"Broker", "[i]nternal-broker", "--policy=trusted"}),
                         [](const auto& victim) { return std::string(victim.param.name); });

// --- TERM at every instant of the start ---

TEST_F(Soak, TermAtAnyInstantOfTheStartIsAnOrderedStop) {
    constexpr int kInstants = 100;
    constexpr int kStep = 20;  // milliseconds
    const HostSnapshot before = HostSnapshot::take();
    const int starts = std::min(repetitions("E2E_TERM_STARTS", 6, kInstants), kInstants);
    for (int i = 1; i <= starts; ++i) {
        const int instant = kStep * (i * kInstants / starts);
        const std::string seconds_text =
            std::to_string(instant / 1000) + "." + std::to_string(1000 + instant % 1000).substr(1);
        // From inside: no command of the engine outside is quick enough for the first instants.
        ContainerOptions options = dind(
            {"--entrypoint", "sh"},
            {"-c", "(sleep " + seconds_text + "; kill -TERM 1) & exec gocd-supervisor run -- sleep 600"});
        const Container container(options);
        EXPECT_EQ(container.exit_status(seconds(15)), 0) << "TERM after " << instant << " ms\n"
                                                         << container.logs();
        EXPECT_THAT(container.logs(), HasSubstr("ended (SIGTERM) after"))
            << "TERM after " << instant << " ms";
    }
    EXPECT_THAT(settled(before), IsEmpty());
}

// --- start and stop in a row ---

TEST_F(Soak, StartingAndStoppingInARowLeavesTheHostAsItWas) {
    const HostSnapshot before = HostSnapshot::take();
    const int cycles = repetitions("E2E_CYCLES", 6, 200);
    std::vector<Size> sizes;
    {
        const test_support::Volume data("data");
        for (int i = 0; i < cycles && !HasFailure(); ++i) {
            const HostSnapshot at_start = HostSnapshot::take();
            {
                const Container container(
                    dind({"-v", data.name() + ":/var/lib/docker"}, {"--", "sleep", "600"}));
                ASSERT_TRUE(becomes_healthy(container)) << container.logs();
                ASSERT_TRUE(i > 0 || load_inner_image(container));
                EXPECT_TRUE(
                    container.exec({"docker", "run", "-d", "inner-busybox:test", "sleep", "900"}).ok());
                sizes.push_back(size_of_pid_one(container));
                EXPECT_TRUE(container.stop(10).ok());
                EXPECT_EQ(container.exit_status(seconds(5)), 0) << container.logs();
            }
            EXPECT_THAT(settled(at_start), IsEmpty()) << "in cycle " << i;
        }
    }
    EXPECT_THAT(settled(before), IsEmpty());
    const auto largest = [](auto from, auto to) {
        return *std::max_element(from, to,
                                 [](const Size& a, const Size& b) { return a.resident < b.resident; });
    };
    const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
    const Size early = largest(sizes.begin(), middle);
    const Size late = largest(middle, sizes.end());
    std::cout << cycles << " cycles; PID 1 at most " << early.resident << " kB and " << early.descriptors
              << " descriptors in the first half, " << late.resident << " kB and " << late.descriptors
              << " in the second\n";
    EXPECT_LE(late.resident, early.resident + 512) << "kilobytes";
}

}  // namespace
}  // namespace e2e
