// One data directory, opened in different modes one after the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "contained_engine.hpp"
#include "outer_network.hpp"
#include "sys/files.hpp"

namespace supervisor::contain {
namespace {

using engine::ContainmentRequest;

class ModesTest : public testing::Test {
  protected:
    void SetUp() override {
        SUPERVISOR_CONTAIN_OR_SKIP();
        char pattern[] = "/var/tmp/contain-modes-XXXXXX";
        base_ = ::mkdtemp(pattern);
    }
    void TearDown() override {
        if (!base_.empty()) (void)sys::remove_tree(base_);
    }

    // What an image with whiteouts and opaque directories and a container with such changes of its own look
    // like, in that mode; made when `build`. Every path with type, owner, mode, and size, sum or target.
    std::string tree(ContainmentRequest request, bool build) {
        EngineOptions options;
        options.request = request;
        options.base = base_;
        ContainedEngine engine(options);
        const auto started = engine.start();
        EXPECT_TRUE(started) << (started ? "" : started.error().message());
        if (!started) return {};
        if (build) {
            EXPECT_EQ(engine.docker({"images", "-q", "marks"}).text, "") << "kept apart";
            (void)sys::replace_file(engine.work_directory() + "/Dockerfile", kMarks, 0644);
            const auto built = engine.as_job("DOCKER_BUILDKIT=0 docker build -q -t marks .");
            EXPECT_EQ(built.status, 0) << built.text;
            const auto made =
                engine.docker({"create", "--name", "kept", "marks", "sh", "-c", kChange + kList});
            EXPECT_EQ(made.status, 0) << made.text;
        }
        return engine.docker({"run", "--rm", "marks", "sh", "-c", kList}).text + "kept:\n" +
               engine.docker({"start", "-a", "kept"}).text;
    }

    // Files and directories that go, come again, and become each other, layer upon layer.
    static constexpr const char* kMarks =
        "FROM box\n"
        "RUN mkdir -p /d/sub/deep /e /f && echo one >/d/f && echo s >/d/sub/s && echo x >/d/sub/deep/x && "
        "ln -s f /d/link && echo keep >/e/keep && echo gone >/e/gone && echo file >/f/file\n"
        "RUN rm -r /d && mkdir -p /d/sub && echo two >/d/g && chown 1000:1000 /d/g && chmod 4711 /d/g\n"
        "RUN rm /etc/passwd /e/gone && mkdir -m 1777 /e/sticky && chown 1000650000:7 /e/keep && "
        "ln /e/keep /e/hard && mkfifo -m 600 /e/pipe\n"
        "RUN rm -r /f && echo now-a-file >/f && rm /d/g && mkdir -m 2750 /d/g && chown 33:44 /d/g\n";
    // Once in the container's life: its own layer is what the next mode must find.
    static inline const std::string kChange =
        "[ -e /changed ] || { touch /changed; rm -r /d/sub; mkdir /d/sub; echo new >/d/sub/new; "
        "rm /e/hard /f; mkdir /f; chown 5:6 /f; }; ";
    static inline const std::string kList =
        "cd /; own='( -path ./proc -o -path ./sys -o -path ./dev -o -path ./bin -o -path ./etc/hosts -o "
        "-path ./etc/hostname -o -path ./etc/resolv.conf ) -prune -o'; "
        "{ find . $own -type d -exec stat -c '%F %u:%g %a %n' {} +; "
        "find . $own ! -type d -exec stat -c '%F %u:%g %a %h %s %N' {} +; "
        "find . $own -type f -exec md5sum {} +; } | sort";

    OuterNetwork network_;
    std::string base_;
};

TEST_F(ModesTest, ChangingBackAndForthKeepsEachModesImages) {
    const auto contained = tree(ContainmentRequest::Userns, true);
    for (const char* line : {"directory 33:44 2750 ./d/g\n", "directory 0:0 1777 ./e/sticky\n",
                             "fifo 0:0 600 1 0 ./e/pipe\n", "regular file 1000650000:7 644 2 5 ./e/keep\n",
                             "regular file 0:0 644 1 11 ./f\n", "kept:\n", "directory 5:6 755 ./f\n"}) {
        EXPECT_THAT(contained, testing::HasSubstr(line));
    }
    for (const char* gone :
         {"./d/f\n", "./d/link", "./d/sub/s\n", "./d/sub/deep", "./e/gone", "./f/file", "passwd"})
        EXPECT_THAT(contained, testing::Not(testing::HasSubstr(gone)));
    EXPECT_EQ(tree(ContainmentRequest::Off, true), contained);
    EXPECT_EQ(tree(ContainmentRequest::Userns, false), contained);
    EXPECT_EQ(tree(ContainmentRequest::Caps, false), contained) << "caps opens what off has made";
    EXPECT_EQ(tree(ContainmentRequest::Userns, false), contained);
}

TEST_F(ModesTest, DevicesAreThereWhenAskedFor) {
    EngineOptions options;
    options.devices = {"fuse", "tun"};
    ContainedEngine engine(options);
    const auto started = engine.start();
    ASSERT_TRUE(started) << started.error().message();
    const auto open = [&](const std::string& device) {
        return engine.docker({"run", "--rm", "--device", device, "box", "sh", "-c", "exec 3<>" + device})
            .status;
    };
    EXPECT_EQ(open("/dev/fuse"), 0);
    EXPECT_EQ(open("/dev/net/tun"), 0);
    EXPECT_NE(open("/dev/kvm"), 0);
    EXPECT_EQ(engine.docker({"run", "--rm", "--privileged", "box", "sh", "-c", "exec 3<>/dev/fuse"}).status,
              0);
}

// The test machine may have no disk to open: fuse stands for all that is not in the engine's /dev.
std::string opens_fuse_by_number(ContainmentRequest request, const std::vector<std::string>& devices) {
    EngineOptions options;
    options.request = request;
    options.devices = devices;
    ContainedEngine engine(options);
    const auto started = engine.start();
    if (!started) return started.error().message();
    if (!engine.space().open_devices().empty()) return engine.space().open_devices();
    const auto run = engine.docker({"run", "--rm", "--privileged", "box", "sh", "-c",
                                    "mknod /tmp/n c 10 229 && exec 3<>/tmp/n && echo open"});
    if (run.text.find("not permitted") != std::string::npos) return "refused";
    return run.text;
}

TEST_F(ModesTest, CutCapabilitiesComeWithAFilterOfDevices) {
    EXPECT_EQ(opens_fuse_by_number(ContainmentRequest::Off, {}), "open\n");
    EXPECT_EQ(opens_fuse_by_number(ContainmentRequest::Caps, {}), "refused");
    EXPECT_EQ(opens_fuse_by_number(ContainmentRequest::Caps, {"fuse"}), "open\n");
}

}  // namespace
}  // namespace supervisor::contain
