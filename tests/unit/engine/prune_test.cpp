// Pruning and health over the answers of real engines: Docker 26.1 with a graph driver, Docker 29 with
// containerd's image store.
#include "engine/prune.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <thread>

#include "engine/check.hpp"
#include "sys/files.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kBuild = "POST /build/prune?all=1";
constexpr const char* kImages = "POST /images/prune?filters=%7B%22dangling%22%3A%7B%22false%22%3Atrue%7D%7D";

struct Answer {
    int status = 200;
    std::string body;
};

// Answers each request by its first line, and remembers the lines.
class AnsweringEngine {
  public:
    explicit AnsweringEngine(std::map<std::string, Answer> answers) : answers_(std::move(answers)) {
        char name[] = "/tmp/prune-XXXXXX";
        directory_ = ::mkdtemp(name);
        listener_ = sys::listen_unix(path(), {::getuid(), ::getgid(), 0600}).value();
        thread_ = std::thread([this] { serve(); });
    }
    ~AnsweringEngine() {
        (void)stop_.write.reset();
        thread_.join();
        (void)sys::remove_tree(directory_);
    }
    std::string path() const { return directory_ + "/docker.sock"; }
    std::vector<std::string> requests() {
        const std::lock_guard lock(mutex_);
        return requests_;
    }

  private:
    void serve() {
        for (;;) {
            pollfd entries[] = {{listener_.get(), POLLIN, 0}, {stop_.read.get(), POLLIN, 0}};
            if (::poll(entries, 2, -1) < 0 || entries[1].revents != 0) return;
            auto client = sys::accept_unix(listener_.get());
            if (!client || !*client) continue;
            answer(client->get());
        }
    }
    void answer(int client) {
        std::string head;
        char chunk[4096];
        while (head.find("\r\n\r\n") == std::string::npos) {
            pollfd entry{client, POLLIN, 0};
            if (::poll(&entry, 1, 5000) <= 0) return;
            const auto got = ::read(client, chunk, sizeof chunk);
            if (got <= 0) return;
            head.append(chunk, static_cast<std::size_t>(got));
        }
        const std::string line = head.substr(0, head.find(" HTTP/"));
        const auto found = answers_.find(line);
        const Answer chosen =
            found == answers_.end() ? Answer{404, R"({"message":"page not found"})"} : found->second;
        {
            const std::lock_guard lock(mutex_);
            requests_.push_back(line);
        }
        const std::string text = "HTTP/1.0 " + std::to_string(chosen.status) +
                                 " Text\r\nApi-Version: 1.55\r\nContent-Type: application/json\r\n\r\n" +
                                 chosen.body;
        (void)!::write(client, text.data(), text.size());
    }

    std::map<std::string, Answer> answers_;
    std::string directory_;
    UniqueFd listener_;
    sys::Pipe stop_ = sys::make_pipe().value();
    std::mutex mutex_;
    std::vector<std::string> requests_;
    std::thread thread_;
};

struct Pruned {
    Result<> result;
    std::vector<std::string> said;
};

// `percents`: how full the disk is, each time that it is looked at.
Pruned prune(AnsweringEngine& engine, std::vector<unsigned> percents) {
    const SteadyClock clock;
    Pruned pruned;
    std::size_t look = 0;
    PruneRequest request;
    request.disk_use = [&]() -> Result<DiskUse> {
        return DiskUse{100, 100 - percents.at(std::min(look++, percents.size() - 1))};
    };
    request.said = [&](const std::string& line) { pruned.said.push_back(line); };
    pruned.result = prune_to_watermark(ApiClient(engine.path(), clock), request,
                                       Deadline::after(clock, Milliseconds(20'000)));
    return pruned;
}

// Docker 29 tells what it deleted of the store by digest, and null where there was nothing.
const std::map<std::string, Answer> kDocker29 = {
    {kBuild, {200, R"({"CachesDeleted":["b6o7dw2yvkjzqjq0e8m2hhvzp"],"SpaceReclaimed":8192})"}},
    {kImages,
     {200,
      R"({"ImagesDeleted":[{"Untagged":"busybox:latest"},{"Deleted":"sha256:ab33eacc8251e3807b85bb6dba570e4698c3998eca6f0fc2ccb60575a563ea74"}],"SpaceReclaimed":2259932})"}},
    {"GET /_ping", {200, "OK"}},
    {"GET /version",
     {200,
      R"({"Platform":{"Name":"Docker Engine - Community"},"Version":"29.7.2","ApiVersion":"1.55","MinAPIVersion":"1.40","Components":[{"Name":"Engine","Version":"29.7.2"},{"Name":"containerd","Version":"v2.2.1"}]})"}},
    {"GET /info",
     {200,
      R"({"Driver":"overlayfs","DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]],"ServerVersion":"29.7.2"})"}}};

TEST(Prune, TakesTheBuildCacheThenTheImagesOfAnImageStore) {
    AnsweringEngine engine(kDocker29);
    const auto pruned = prune(engine, {95, 92, 60});
    ASSERT_TRUE(pruned.result) << pruned.result.error().message();
    EXPECT_THAT(engine.requests(), ElementsAre(kBuild, kImages));
    EXPECT_THAT(pruned.said, ElementsAre("the data directory is 95% full: pruned the build cache",
                                         "the data directory is 92% full: pruned unused images"));
}

TEST(Prune, KeepsTheImagesWhenTheBuildCacheWasEnough) {
    AnsweringEngine engine(kDocker29);
    ASSERT_TRUE(prune(engine, {95, 50}).result);
    EXPECT_THAT(engine.requests(), ElementsAre(kBuild));
}

TEST(Prune, AsksNothingOfADiskWithRoom) {
    AnsweringEngine engine(kDocker29);
    const auto pruned = prune(engine, {84});
    ASSERT_TRUE(pruned.result);
    EXPECT_THAT(engine.requests(), ElementsAre());
    EXPECT_THAT(pruned.said, ElementsAre());
}

TEST(Prune, TakesAnEmptyResultForAnAnswer) {
    AnsweringEngine engine({{kBuild, {200, R"({"CachesDeleted":null,"SpaceReclaimed":0})"}},
                            {kImages, {200, R"({"ImagesDeleted":null,"SpaceReclaimed":0})"}}});
    EXPECT_TRUE(prune(engine, {95}).result);
    EXPECT_THAT(engine.requests(), ElementsAre(kBuild, kImages));
}

TEST(Prune, SaysWhatTheEngineAnsweredInsteadOfClaimingSuccess) {
    AnsweringEngine engine({{kBuild, {409, R"({"message":"a prune operation is already running"})"}}});
    const auto pruned = prune(engine, {95});
    ASSERT_FALSE(pruned.result);
    EXPECT_THAT(pruned.result.error().message(),
                HasSubstr("409: {\"message\":\"a prune operation is already running"));
    EXPECT_THAT(pruned.said, ElementsAre());
}

TEST(CheckEngine, AcceptsTheSnapshotterThatWasPlannedForAnImageStore) {
    AnsweringEngine engine(kDocker29);
    const SteadyClock clock;
    const ApiClient client(engine.path(), clock);
    const auto deadline = Deadline::after(clock, Milliseconds(20'000));
    const auto well = check_engine(client, {"overlayfs"}, deadline);
    EXPECT_EQ(well.health, Health::Well) << well.reason;
    EXPECT_EQ(well.reason, "Docker 29.7.2, storage driver overlayfs");
    // What an engine does that did not obey: healthy, and not what was planned.
    EXPECT_EQ(check_engine(client, {"overlay2"}, deadline).health, Health::WrongDriver);
}

TEST(CheckEngine, G1_ADaemonThatAnswersItsVersionWithoutAContainerdIsNotWell) {
    auto answers = kDocker29;
    answers["GET /version"].body =
        R"({"Version":"29.7.2","Components":[{"Name":"Engine","Version":"29.7.2"}]})";
    AnsweringEngine engine(answers);
    const SteadyClock clock;
    const auto result = check_engine(ApiClient(engine.path(), clock), {"overlayfs"},
                                     Deadline::after(clock, Milliseconds(20'000)));
    EXPECT_EQ(result.health, Health::ContainerdSick);
}

}  // namespace
}  // namespace supervisor::engine
