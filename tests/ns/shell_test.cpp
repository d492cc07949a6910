// --shell on a terminal.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <unistd.h>

#include <memory>

#include "ns/box.hpp"
#include "support/command.hpp"

namespace ns_test {
namespace {

class ShellTest : public testing::Test {
  protected:
    void start(const std::vector<std::string>& arguments) {
        int master = -1;
        int slave = -1;
        ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
        terminal.reset(master);
        const supervisor::UniqueFd other(slave);
        ASSERT_EQ(::fcntl(master, F_SETFL, O_NONBLOCK), 0);
        ASSERT_EQ(::fcntl(master, F_SETFD, FD_CLOEXEC), 0);
        BoxOptions options;
        options.arguments = arguments;
        options.terminal = slave;
        box = std::make_unique<Box>(options);
    }
    void type(const std::string& text) {
        ASSERT_EQ(::write(terminal.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    // Everything on the screen so far.
    const std::string& screen() {
        char chunk[4096];
        for (ssize_t got; (got = ::read(terminal.get(), chunk, sizeof chunk)) > 0;)
            seen.append(chunk, static_cast<std::size_t>(got));
        return seen;
    }
    bool shows(const std::string& text) {
        return test_support::eventually([&] { return screen().find(text) != std::string::npos; }, 30s);
    }
    // Line editing swallows what is typed before the prompt is back.
    bool shows_prompts(int count) {
        return test_support::eventually(
            [&] {
                int prompts = 0;
                for (auto at = screen().find("$ "); at != std::string::npos; at = seen.find("$ ", at + 1))
                    ++prompts;
                return prompts >= count;
            },
            30s);
    }
    int end() {
        const bool done = test_support::eventually(
            [&] {
                (void)screen();
                return box->ended();
            },
            30s);
        return done ? box->wait(0ms) : -1;
    }

    supervisor::UniqueFd terminal;
    std::unique_ptr<Box> box;
    std::string seen;
};

TEST_F(ShellTest, GivesAPromptAndEndsTheContainerWithItsStatus) {
    start({"--mode=plain", "--shell"});
    ASSERT_TRUE(shows("$ ")) << seen;
    type("echo uid $(id -u) sum $((40 + 2))\n");
    EXPECT_TRUE(shows("uid 1000 sum 42")) << seen;
    type("exit 7\n");
    EXPECT_EQ(end(), 7) << seen;
}

TEST_F(ShellTest, HasJobControl) {
    start({"--mode=plain", "--shell"});
    ASSERT_TRUE(shows("$ ")) << seen;
    EXPECT_EQ(seen.find("job control"), std::string::npos) << seen;
    type("sleep 1000\n");
    test_support::pause_for(300ms);
    type("\x1a");  // Ctrl-Z
    EXPECT_TRUE(shows("Stopped")) << seen;
}

TEST_F(ShellTest, CtrlCEndsNeitherTheShellNorTheContainer) {
    start({"--mode=plain", "--shell"});
    ASSERT_TRUE(shows("$ ")) << seen;
    type("\x03");
    ASSERT_TRUE(shows_prompts(2)) << seen;
    type("sleep 1000\n");
    test_support::pause_for(300ms);
    type("\x03");
    ASSERT_TRUE(shows_prompts(3)) << seen;
    type("echo still $((1 + 1))\n");
    EXPECT_TRUE(shows("still 2")) << seen;
    EXPECT_FALSE(box->ended());
}

TEST_F(ShellTest, AsRootIsRoot) {
    start({"--mode=plain", "--shell=root"});
    ASSERT_TRUE(shows("# ")) << seen;
    type("echo uid $(id -u)\n");
    EXPECT_TRUE(shows("uid 0")) << seen;
    type("exit\n");
    EXPECT_EQ(end(), 0) << seen;
}

TEST_F(ShellTest, TermEndsItThoughAnInteractiveShellIgnoresTerm) {
    start({"--mode=plain", "--shell"});
    ASSERT_TRUE(shows("$ ")) << seen;
    box->signal(SIGTERM);
    EXPECT_EQ(end(), 0) << seen;
}

TEST_F(ShellTest, ATerminalThatGoesAwayEndsIt) {
    start({"--mode=plain", "--shell"});
    ASSERT_TRUE(shows("$ ")) << seen;
    terminal.reset();
    EXPECT_NE(box->wait(30s), -1);
}

TEST_F(ShellTest, AProgramOnATerminalGetsTheTerminal) {
    start(plain({"sh", "-c", "tty >/dev/null && echo on a terminal; exit 3"}));
    EXPECT_TRUE(shows("on a terminal")) << seen;
    EXPECT_EQ(end(), 3);
}

}  // namespace
}  // namespace ns_test
