// Probing this machine: whatever it is like, nothing may be left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/facts.hpp"
#include "host/program_output.hpp"
#include "sys/files.hpp"

namespace supervisor::host {
namespace {

struct ProbeTest : ::testing::Test {
    ProbeTest() { directory = ::mkdtemp(name); }
    ~ProbeTest() override { (void)sys::remove_tree(directory); }
    char name[32] = "/tmp/probe-XXXXXX";
    std::string directory;
};

TEST_F(ProbeTest, LeavesNoTrace) {
    struct stat before {};
    struct stat after {};
    ASSERT_EQ(::stat(directory.c_str(), &before), 0);
    ProbeRequest request;
    request.data_directory = directory;
    const auto facts = probe(request);
    ASSERT_EQ(::stat(directory.c_str(), &after), 0);
    EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    EXPECT_THAT(sys::read_file_or("/proc/self/mountinfo"), ::testing::Not(::testing::HasSubstr(directory)));
    EXPECT_THAT(sys::list_directory(directory).value(), ::testing::IsEmpty());
    EXPECT_TRUE(facts.storage.overlay.tried());
    EXPECT_TRUE(facts.network.netfilter.tried);
}

TEST(BridgeProbeTest, ABridgeIsMadeWhereTheRightsAllowItAndAnUnknownKindIsNot) {
    const auto links = sys::list_directory("/sys/class/net").value();
    const auto bridge = BridgeExperiment().finish();
    if (!bridge.tried) GTEST_SKIP() << "no network namespaces for this user";
    EXPECT_EQ(bridge.error, 0);
    EXPECT_EQ(BridgeExperiment("nosuchkind").finish().error, EOPNOTSUPP);
    EXPECT_EQ(sys::list_directory("/sys/class/net").value(), links);
}

TEST_F(ProbeTest, ExaminesTheNearestParentOfADirectoryThatIsNotThere) {
    ProbeRequest request;
    request.data_directory = directory + "/not/there";
    request.experiments = false;
    const auto facts = probe(request);
    EXPECT_EQ(facts.storage.probed_path, directory);
    EXPECT_FALSE(facts.storage.exists);
    EXPECT_FALSE(facts.storage.overlay.tried());
    EXPECT_FALSE(sys::exists(directory + "/not"));
}

TEST_F(ProbeTest, ReadsProgramsAndVariables) {
    ProbeRequest request;
    request.data_directory = directory;
    request.experiments = false;
    request.programs = {"sh", "no-such-program"};
    request.environment = {{"container", "docker"}, {"KUBERNETES_SERVICE_HOST", "10.96.0.1"}};
    const auto facts = probe(request);
    EXPECT_TRUE(facts.has_program("sh"));
    EXPECT_FALSE(facts.has_program("no-such-program"));
    EXPECT_TRUE(facts.container_variable);
    EXPECT_EQ(facts.network.service_address, "10.96.0.1");
}

TEST(DeviceFactsTest, CanBeMadeOnlyWhereTheTrialOpened) {
    EXPECT_TRUE((DeviceFacts{false, 0}.can_be_made()));
    EXPECT_FALSE((DeviceFacts{false, EPERM}.can_be_made()));
    EXPECT_FALSE((DeviceFacts{true, 0}.can_be_made()));
    EXPECT_FALSE((DeviceFacts{true, EPERM}.usable()));
}

TEST(OverlayProbeTest, SaysWhereItEnded) {
    EXPECT_EQ(OverlayExperiment("/proc").finish().stage, OverlayStage::Scratch);
    EXPECT_THAT(describe({OverlayStage::Mount, EINVAL}), ::testing::HasSubstr("Invalid argument"));
    EXPECT_THAT(describe({OverlayStage::Mount, ENODEV}), ::testing::HasSubstr("no overlay file system"));
}

TEST(MachineFactsTest, ReleasesAreComparedByTheirNumbers) {
    MachineFacts machine;
    EXPECT_TRUE(machine.kernel_at_least(4, 15)) << "what cannot be read is not held against it";
    machine.kernel = "4.14.336-253.554.amzn2";
    EXPECT_TRUE(machine.kernel_at_least(4, 14));
    EXPECT_FALSE(machine.kernel_at_least(4, 15));
    EXPECT_FALSE(machine.kernel_at_least(5, 2));
    machine.kernel = "6.18-rc1";
    EXPECT_TRUE(machine.kernel_at_least(5, 2));
}

TEST(FilesystemName, KnowsMagicsAndPrintsOthers) {
    EXPECT_EQ(filesystem_name(0x58465342), "xfs");
    EXPECT_EQ(filesystem_name(0x12345), "0x12345");
}

TEST(ProgramOutput, GivesTextAndStatus) {
    const auto output = program_output({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"});
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ(output->text, "out\nerr\n");
    EXPECT_EQ(output->status, 3);
    EXPECT_EQ(program_output({"/no/such"})->status, 127);
}

TEST(ProgramOutput, CanReadInput) {
    EXPECT_EQ(program_output({"/bin/cat"}, Milliseconds(5000), "a\nb\n")->text, "a\nb\n");
}

TEST(ProgramOutput, DoesNotWaitForever) {
    EXPECT_FALSE(program_output({"/bin/sh", "-c", "exec sleep 60"}, Milliseconds(50)));
}

}  // namespace
}  // namespace supervisor::host
