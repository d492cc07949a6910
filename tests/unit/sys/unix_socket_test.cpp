#include "sys/unix_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "sys/files.hpp"

namespace supervisor::sys {
namespace {

class UnixSocketTest : public testing::Test {
  protected:
    UnixSocketTest() {
        char name[] = "/tmp/socket-test-XXXXXX";
        root = ::mkdtemp(name);
    }
    ~UnixSocketTest() override { EXPECT_TRUE(remove_tree(root)); }
    std::string root;
    SocketAccess access{::getuid(), ::getgid(), 0660};
};

TEST_F(UnixSocketTest, AClientThatComesBeforeAcceptIsNotRefused) {
    const auto listener = listen_unix(root + "/s", access);
    ASSERT_TRUE(listener);
    EXPECT_TRUE(connect_unix(root + "/s"));
    EXPECT_TRUE(bool(accept_unix(listener->get()).value()));
    EXPECT_FALSE(bool(accept_unix(listener->get()).value()));
}

TEST_F(UnixSocketTest, AStaleSocketIsReplacedButNothingElseIs) {
    ASSERT_TRUE(listen_unix(root + "/s", access));
    EXPECT_TRUE(listen_unix(root + "/s", access));
    ASSERT_TRUE(replace_file(root + "/file", "precious", 0600));
    const auto result = listen_unix(root + "/file", access);
    EXPECT_EQ(result.error().code(), EEXIST);
    EXPECT_EQ(read_file(root + "/file").value(), "precious");
    ASSERT_TRUE(make_directories(root + "/directory"));
    EXPECT_FALSE(listen_unix(root + "/directory", access));
}

TEST_F(UnixSocketTest, KnowsItsPeer) {
    const auto listener = listen_unix(root + "/s", access);
    ASSERT_TRUE(listener);
    const auto client = connect_unix(root + "/s");
    const auto server = accept_unix(listener->get());
    EXPECT_EQ(peer_credentials(server->get())->process, ::getpid());
}

TEST_F(UnixSocketTest, RefusesPathsThatTheKernelWouldCut) {
    EXPECT_EQ(listen_unix(root + "/" + std::string(120, 'x'), access).error().code(), ENAMETOOLONG);
}

}  // namespace
}  // namespace supervisor::sys
