// Named after the catalogue of ways in which an inner engine's storage fails: A1 … A17.
#include <algorithm>

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

TEST_F(StoragePlan, A2_TheDefaultThatIsTurnedOffIsToldOnceWithTheCause) {
    engine.version = {29, 7, 2};
    refuse_overlay();
    for (const bool fuse : {true, false}) {
        if (fuse)
            host.programs["fuse-overlayfs"] = "/usr/bin/fuse-overlayfs";
        else
            host.programs.erase("fuse-overlayfs");
        const auto plan = drafted();
        EXPECT_THAT(plan, Suits());
        EXPECT_EQ(plan.storage.driver, fuse ? "fuse-overlayfs" : "vfs");
        EXPECT_THAT(plan,
                    Warns("image store, the default of Docker 29.7.2, is turned off: on /var/lib/docker"));
        const auto told =
            std::count_if(plan.decisions.begin(), plan.decisions.end(), [](const Decision& decision) {
                return decision.reason.find("image store") != std::string::npos;
            });
        EXPECT_EQ(told, 1);
    }
}

TEST_F(StoragePlan, A2_EnginesThatDoNotDefaultToTheStoreSayNothingOfIt) {
    refuse_overlay();
    EXPECT_EQ(all_text(drafted()).find("image store"), std::string::npos);
}

TEST_F(StoragePlan, A2_TheStoreIsKeptWhereOverlayWorksAndOffWhenTheUserSaysSo) {
    engine.version = {29, 7, 2};
    for (const char* type : {"ext4", "xfs", "btrfs", "tmpfs"}) {
        host.storage.type = type;
        EXPECT_TRUE(drafted().storage.image_store) << type;
    }
    choose(R"({"features": {"containerd-snapshotter": false}})");
    const auto plan = drafted();
    EXPECT_EQ(plan.storage.driver, "overlay2");
    EXPECT_EQ(all_text(plan).find("turned off"), std::string::npos);
}

TEST_F(StoragePlan, A2_WhoeverAsksForTheStoreOnEngine29IsNamedWhereItCannotWork) {
    engine.version = {29, 7, 2};
    refuse_overlay();
    choose(R"({"features": {"containerd-snapshotter": true}})");
    EXPECT_THAT(drafted(), FailsSaying("asked for by /etc/docker/daemon.json, but on /var/lib/docker"));
    choose("", {"--feature=containerd-snapshotter=true"});
    EXPECT_THAT(drafted(), FailsSaying("asked for by DOCKERD_ADDITIONAL_ARGS, but"));
    choose(R"({"storage-driver": "overlayfs"})");
    EXPECT_THAT(drafted(), FailsSaying("overlayfs is asked for by /etc/docker/daemon.json, but"));
}

TEST_F(StoragePlan, A3_ContainerdsLayersLieInTheDataDirectoryThatWasProbed) {
    EXPECT_TRUE(engine_paths(settings).containerd_root.starts_with(settings.data_root + "/"));
}

TEST_F(StoragePlan, A4_GraphDriverAndImageStoreAtOnceIsAContradictionThatNamesBoth) {
    choose(R"({"features": {"containerd-snapshotter": true}})");
    settings.storage_driver = "overlay2";
    EXPECT_THAT(drafted(), FailsSaying("DOCKER_DRIVER asks for overlay2, which is a graph driver, and "
                                       "/etc/docker/daemon.json for containerd's image store"));
    settings.storage_driver = "overlayfs";
    EXPECT_THAT(drafted(), Suits());
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

TEST_F(StoragePlan, A13_FuseOverlayfsIsNotStackedOnItself) {
    refuse_overlay();
    host.storage.type = "fuse.fuse-overlayfs";
    host.programs["fuse-overlayfs"] = "/usr/bin/fuse-overlayfs";
    const auto plan = drafted();
    EXPECT_EQ(plan.storage.driver, "vfs");
    EXPECT_THAT(plan, Warns("it does not work on fuse.fuse-overlayfs"));
    settings.storage_driver = "fuse-overlayfs";
    EXPECT_THAT(drafted(), FailsSaying("it does not work on fuse.fuse-overlayfs"));
}

TEST_F(StoragePlan, A14_FileSystemsOfTheOutsideCarryNoLayers) {
    refuse_overlay();
    host.programs["fuse-overlayfs"] = "/usr/bin/fuse-overlayfs";
    for (const char* type : {"9p", "virtiofs", "drvfs", "cifs", "nfs", "fuse.grpcfuse"}) {
        host.storage.type = type;
        const auto plan = drafted();
        EXPECT_EQ(plan.storage.driver, "vfs") << type;
        EXPECT_THAT(plan, Warns("it does not work on " + std::string(type)));
    }
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

TEST_F(StoragePlan, A17_ImagesOfTheStoreThatAGraphDriverDoesNotSeeAreNamed) {
    engine.prior_image_store = true;
    EXPECT_THAT(drafted(),
                Warns("images that containerd's image store left in /var/lib/docker stay on the disk"));
    engine.version = {29, 7, 2};
    EXPECT_EQ(all_text(drafted()).find("not visible"), std::string::npos);
    choose(R"({"features": {"containerd-snapshotter": true}})");
    engine.prior_drivers = {"overlay2"};
    EXPECT_THAT(drafted(), Warns("images that overlay2 left"));
}

TEST_F(StoragePlan, A18_OverlayWhoseDeletionsCannotBeReadBackIsNotTaken) {
    engine.version = {29, 0, 0};
    host.storage.overlay = {host::OverlayStage::Whiteout, EINVAL};
    const auto plan = drafted();
    EXPECT_FALSE(plan.storage.image_store);
    EXPECT_EQ(plan.storage.driver, "vfs");
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
