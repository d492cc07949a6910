#include "base/line_writer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

namespace supervisor {
namespace {

struct Pipe {
    Pipe() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0); }
    ~Pipe() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    std::string read_some() const {
        std::string text(1 << 20, '\0');
        const auto got = ::read(ends[0], text.data(), text.size());
        text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return text;
    }
    int ends[2]{-1, -1};
};

TEST(LineWriter, WritesWholeLinesAtOnce) {
    Pipe pipe;
    LineWriter writer(pipe.ends[1]);
    writer.write_line("one");
    writer.write_line("two");
    EXPECT_EQ(pipe.read_some(), "one\ntwo\n");
    EXPECT_FALSE(writer.pending());
}

TEST(LineWriter, LeavesTheSharedDescriptionBlocking) {
    Pipe pipe;
    LineWriter writer(pipe.ends[1]);
    EXPECT_EQ(::fcntl(pipe.ends[1], F_GETFL) & O_NONBLOCK, 0);
}

TEST(LineWriter, DropsWholeLinesWhenNobodyReadsAndSaysHowMany) {
    Pipe pipe;
    LineWriter writer(pipe.ends[1], 4096);
    const std::string line(99, 'x');
    for (int i = 0; i < 5000; ++i) writer.write_line(line);
    EXPECT_GT(writer.dropped_lines(), 0U);
    std::string all;
    for (int i = 0; i < 50 && (writer.pending() || i < 2); ++i) {
        all += pipe.read_some();
        writer.flush();
    }
    all += "";
    EXPECT_NE(all.find("lines were dropped here"), std::string::npos);
    std::size_t whole = 0;
    for (std::size_t at = 0, end; (end = all.find('\n', at)) != std::string::npos; at = end + 1) {
        whole += all.substr(at, end - at) == line ? 1U : 0U;
    }
    EXPECT_EQ(whole + writer.dropped_lines(), 5000U);
}

TEST(LineWriter, WorksOnSockets) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    LineWriter writer(ends[1]);
    writer.write_line("hello");
    char text[16];
    EXPECT_EQ(::read(ends[0], text, sizeof text), 6);
    ::close(ends[0]);
    writer.write_line("nobody there");  // must not raise SIGPIPE
    ::close(ends[1]);
}

}  // namespace
}  // namespace supervisor
