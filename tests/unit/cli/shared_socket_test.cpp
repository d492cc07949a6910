#include "cli/shared_socket.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <filesystem>

#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SharedSocketTest : public testing::Test {
  protected:
    SharedSocketTest() {
        char pattern[] = "/tmp/shared-socket-XXXXXX";
        top_ = ::mkdtemp(pattern);
    }
    ~SharedSocketTest() override { std::filesystem::remove_all(top_); }
    std::optional<SharedSocket> listen(const std::string& tag) {
        return listen_on_one_of({top_ + "/missing", top_}, tag, {::getuid(), ::getgid(), 0660});
    }
    std::string top_;
};

TEST(HostMounts, AreWritableDisksOutsideTheSystem) {
    EXPECT_THAT(
        host_mounts("1 0 0:1 / / rw - overlay overlay rw\n"
                    "2 1 0:2 / /proc rw - proc proc rw\n"
                    "3 1 8:1 /hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"
                    "4 1 8:1 /volumes/work/_data /godata/pipelines rw,relatime master:1 - ext4 /dev/sda1 rw\n"
                    "5 1 8:1 /volumes/home/_data /godata rw,relatime - ext4 /dev/sda1 rw,errors=continue\n"
                    "6 1 8:1 /cache /cache ro - ext4 /dev/sda1 rw\n"
                    "7 1 8:2 / /archive rw - ext4 /dev/sdb1 ro\n"
                    "8 1 0:3 / /scratch rw - tmpfs tmpfs rw\n"
                    "9 1 8:1 /odd /with\\040space rw - ext4 /dev/sda1 rw\n"
                    "10 1 8:1 /docker.sock /run/docker.sock rw - ext4 /dev/sda1 rw\n"),
        ElementsAre("/godata", "/godata/pipelines"));
    EXPECT_THAT(host_mounts("garbage\n1 2 3 4 5 6 7 -\n"), IsEmpty());
}

TEST_F(SharedSocketTest, LiesInADirectoryThatOthersCannotListAndGoesWithIt) {
    auto socket = listen("one");
    ASSERT_TRUE(socket);
    EXPECT_EQ(socket->path, top_ + "/.gocd-docker-one/docker.sock");
    struct stat status {};
    ASSERT_EQ(::stat(socket->directory.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0711U);
    EXPECT_TRUE(sys::connect_unix(socket->path));
    remove_shared_socket(*socket);
    EXPECT_FALSE(sys::exists(socket->directory));
}

TEST_F(SharedSocketTest, RemovesWhatKilledAgentsLeftAndNothingOfTheLiving) {
    auto alive = listen("alive");
    auto young = listen("young");
    auto dead = listen("dead");
    ASSERT_TRUE(alive && young && dead);
    young->listener.reset();
    dead->listener.reset();
    const utimbuf old{1'000'000, 1'000'000};
    ::utime(alive->path.c_str(), &old);
    ::utime(dead->path.c_str(), &old);
    ASSERT_TRUE(listen("new"));
    EXPECT_TRUE(sys::exists(alive->path));
    EXPECT_TRUE(sys::exists(young->path));
    EXPECT_FALSE(sys::exists(dead->directory));
}

TEST_F(SharedSocketTest, IsNotMadeWithoutAPlace) {
    EXPECT_FALSE(listen_on_one_of({top_ + "/missing"}, "x", {::getuid(), ::getgid(), 0660}));
    // Longer than a socket's address.
    const auto deep = top_ + "/" + std::string(120, 'd');
    std::filesystem::create_directory(deep);
    EXPECT_FALSE(listen_on_one_of({deep}, "x", {::getuid(), ::getgid(), 0660}));
    EXPECT_TRUE(std::filesystem::is_empty(deep));
}

}  // namespace
}  // namespace supervisor::cli
