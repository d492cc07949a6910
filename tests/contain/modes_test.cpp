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

    // What an image looks like that has a whiteout and an opaque directory, in that mode; made when `build`.
    std::string tree(ContainmentRequest request, bool build) {
        EngineOptions options;
        options.request = request;
        options.base = base_;
        ContainedEngine engine(options);
        const auto started = engine.start();
        EXPECT_TRUE(started) << (started ? "" : started.error().message());
        if (!started) return {};
        if (build) {
            engine.outside(
                "printf 'FROM box\\nRUN mkdir -p /d/sub && echo one > /d/f && echo s > /d/sub/s\\n"
                "RUN rm -r /d && mkdir -p /d/sub && echo two > /d/g && chown 1000:1000 /d/g\\n"
                "RUN rm /etc/passwd\\n' > " +
                engine.work_directory() + "/Dockerfile");
            const auto built = engine.as_job("DOCKER_BUILDKIT=0 docker build -q -t marks .");
            EXPECT_EQ(built.status, 0) << built.text;
        }
        return engine.docker({"run", "--rm", "marks", "sh", "-c", "find /d /etc | sort; stat -c %u:%g /d/g"})
            .text;
    }

    OuterNetwork network_;
    std::string base_;
};

TEST_F(ModesTest, ChangingBackAndForthKeepsEachModesImages) {
    const auto contained = tree(ContainmentRequest::Userns, true);
    EXPECT_THAT(contained, testing::HasSubstr("/d/g\n/d/sub\n"));
    EXPECT_THAT(contained, testing::EndsWith("1000:1000\n"));
    EXPECT_THAT(contained, testing::Not(testing::HasSubstr("/d/f")));
    EXPECT_THAT(tree(ContainmentRequest::Off, false), testing::HasSubstr("nable to find image"))
        << "kept apart";
    EXPECT_EQ(tree(ContainmentRequest::Off, true), contained);
    EXPECT_EQ(tree(ContainmentRequest::Userns, false), contained);
    EXPECT_EQ(tree(ContainmentRequest::Off, false), contained);
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
