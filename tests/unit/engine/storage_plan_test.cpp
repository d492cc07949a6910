// Named after the catalogue of ways in which an inner engine's storage fails: A1 … A17.
#include "plan_fixture.hpp"

namespace supervisor::engine {
namespace {

using StoragePlan = PlanTest;

TEST_F(StoragePlan, TakesOverlay2WhereTheProbeSawItWork) {
    const auto plan = drafted();
    EXPECT_THAT(plan, Suits());
    EXPECT_EQ(plan.storage.driver, "overlay2");
    EXPECT_FALSE(plan.storage.image_store);
}

TEST_F(StoragePlan, A1_OverlayOnOverlayTakesFuseOverlayfs) {
    refuse_overlay();
    host.programs["fuse-overlayfs"] = "/usr/bin/fuse-overlayfs";
    const auto plan = drafted();
    EXPECT_THAT(plan, Suits());
    EXPECT_EQ(plan.storage.driver, "fuse-overlayfs");
    EXPECT_FALSE(plan.storage.make_fuse_device);
}

TEST_F(StoragePlan, A1_OverlayOnOverlayWithoutFuseTakesVfsLoudly) {
    refuse_overlay();
    const auto plan = drafted();
    EXPECT_EQ(plan.storage.driver, "vfs");
    EXPECT_THAT(plan, Warns("copied in full"));
}

TEST_F(StoragePlan, A1_OverlayOnOverlayIsAnErrorWhereVfsIsNotWanted) {
    refuse_overlay();
    settings.allow_vfs = false;
    EXPECT_THAT(drafted(), FailsSaying("-v docker-data:/var/lib/docker"));
}

TEST_F(StoragePlan, A2_ImageStoreIsTheDefaultOfEngine29) {
    engine.version = {29, 7, 2};
    const auto plan = drafted();
    EXPECT_EQ(plan.storage.driver, "overlayfs");
    EXPECT_TRUE(plan.storage.image_store);
}

TEST_F(StoragePlan, A2_ImageStoreIsTurnedOffWhereOverlayCannotBeMounted) {
    engine.version = {29, 7, 2};
    refuse_overlay();
    host.programs["fuse-overlayfs"] = "/usr/bin/fuse-overlayfs";
    const auto plan = drafted();
    EXPECT_EQ(plan.storage.driver, "fuse-overlayfs");
    EXPECT_FALSE(plan.storage.image_store);
    EXPECT_FALSE(
        daemon_config(plan, settings, choices).file.at("features").at("containerd-snapshotter").as_bool());
}

TEST_F(StoragePlan, A2_ImageStoreThatIsAskedForIsRefusedWhereOverlayCannotBeMounted) {
    choose(R"({"features": {"containerd-snapshotter": true}})");
    refuse_overlay();
    EXPECT_THAT(drafted(), FailsSaying("image store of containerd is asked for"));
}

TEST_F(StoragePlan, A4_DriverVariableNamesAGraphDriverAlsoOnEngine29) {
    engine.version = {29, 7, 2};
    settings.storage_driver = "overlay2";
    const auto plan = drafted();
    EXPECT_EQ(plan.storage.driver, "overlay2");
    EXPECT_FALSE(plan.storage.image_store);
}

TEST_F(StoragePlan, A4_SnapshotterNameOnAnEngineWithoutTheStoreIsRefused) {
    settings.storage_driver = "overlayfs";
    EXPECT_THAT(drafted(), FailsSaying("use overlay2"));
}

TEST_F(StoragePlan, A5_XfsWithoutFileTypesIsNamed) {
    host.storage.type = "xfs";
    host.storage.overlay = {host::OverlayStage::FileTypes, 0};
    settings.storage_driver = "overlay2";
    EXPECT_THAT(drafted(), FailsSaying("ftype=0"));
}

TEST_F(StoragePlan, A6_CasefoldRefusesTheMountAndFallsBack) {
    host.storage.overlay = {host::OverlayStage::Mount, EINVAL};
    EXPECT_EQ(drafted().storage.driver, "vfs");
}

TEST_F(StoragePlan, A11_SeveralPriorDriversNeedAChoice) {
    engine.prior_drivers = {"overlay2", "btrfs"};
    EXPECT_THAT(drafted(), FailsSaying("overlay2, btrfs"));
    settings.storage_driver = "overlay2";
    EXPECT_THAT(drafted(), Suits());
}

TEST_F(StoragePlan, A12_FuseNeedsADeviceThatOpens) {
    refuse_overlay();
    host.programs["fuse-overlayfs"] = "/usr/bin/fuse-overlayfs";
    host.fuse.open_error = EPERM;
    EXPECT_EQ(drafted().storage.driver, "vfs");
}

TEST_F(StoragePlan, A12_MissingFuseDeviceIsMadeWhereThatIsAllowed) {
    refuse_overlay();
    host.programs["fuse-overlayfs"] = "/usr/bin/fuse-overlayfs";
    host.fuse.exists = false;
    EXPECT_TRUE(drafted().storage.make_fuse_device);
    host.fuse.open_error = EPERM;
    const auto plan = drafted();
    EXPECT_EQ(plan.storage.driver, "vfs");
    EXPECT_THAT(plan, Warns("--device /dev/fuse"));
}

TEST_F(StoragePlan, A15_ZfsNeedsItsProgram) {
    refuse_overlay();
    host.storage.type = "zfs";
    EXPECT_EQ(drafted().storage.driver, "vfs");
    host.programs["zfs"] = "/sbin/zfs";
    EXPECT_EQ(drafted().storage.driver, "zfs");
}

TEST_F(StoragePlan, A17_PriorImagesOfAGraphDriverStayVisibleOnEngine29) {
    engine.version = {29, 7, 2};
    engine.prior_drivers = {"overlay2"};
    const auto plan = drafted();
    EXPECT_EQ(plan.storage.driver, "overlay2");
    EXPECT_FALSE(plan.storage.image_store);
}

TEST_F(StoragePlan, PriorDriverThatCannotWorkHereIsExplained) {
    engine.prior_drivers = {"overlay2"};
    refuse_overlay();
    EXPECT_THAT(drafted(), FailsSaying("holds images of overlay2"));
}

TEST_F(StoragePlan, OtherDriverThanThePriorOneWarnsThatImagesAreNotVisible) {
    engine.prior_drivers = {"overlay2"};
    settings.storage_driver = "vfs";
    EXPECT_THAT(drafted(), Warns("not visible"));
}

TEST_F(StoragePlan, BtrfsOnlyOnItsOwnFileSystem) {
    settings.storage_driver = "btrfs";
    EXPECT_THAT(drafted(), FailsSaying("not on btrfs"));
    host.storage.type = "btrfs";
    EXPECT_THAT(drafted(), Suits());
}

TEST_F(StoragePlan, RemovedDriversAreNamedAsSuch) {
    for (const char* driver : {"aufs", "devicemapper", "overlay"}) {
        settings.storage_driver = driver;
        EXPECT_THAT(drafted(), FailsSaying("do not have it any more")) << driver;
    }
}

TEST_F(StoragePlan, ReadOnlyDataDirectoryIsAnError) {
    host.storage.read_only = true;
    EXPECT_THAT(drafted(), FailsSaying("read-only"));
}

TEST_F(StoragePlan, MissingRightToTryIsNotBlamedOnTheFileSystem) {
    host.storage.overlay = {host::OverlayStage::Namespace, EPERM};
    EXPECT_EQ(drafted().storage.driver, "overlay2");
}

TEST_F(StoragePlan, DataInsideTheContainerWarns) {
    host.storage.own_mount = false;
    EXPECT_THAT(drafted(), Warns("lost with it"));
}

TEST_F(StoragePlan, DataInMemoryWarns) {
    host.storage.type = "tmpfs";
    EXPECT_THAT(drafted(), Warns("in memory"));
}

TEST_F(StoragePlan, DriverInDaemonJsonCountsAsAsked) {
    choose(R"({"storage-driver": "vfs"})");
    const auto plan = drafted();
    EXPECT_EQ(plan.storage.driver, "vfs");
    EXPECT_THAT(plan, Warns("/etc/docker/daemon.json"));
}

}  // namespace
}  // namespace supervisor::engine
