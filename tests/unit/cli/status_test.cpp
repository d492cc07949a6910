#include "cli/status.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> keys_of(const json::object& object) {
    std::vector<std::string> keys;
    for (const auto& member : object) keys.emplace_back(member.key());
    return keys;
}

StatusModel running_model() {
    StatusModel model;
    model.version = "1.2.3";
    model.pid = 1;
    model.phase = Phase::Running;
    model.not_ready_because.clear();
    model.mode = "dind";
    model.mode_reason = "the image has a dockerd";
    model.engine_state = "ready";
    model.engine = "Docker 26.1.5";
    model.relaxed = {"userns"};
    model.job = {true, 3, "2024-01-01T00:00:00.000Z"};
    service::Snapshot daemon;
    daemon.state = service::State::Ready;
    daemon.pid = 42;
    daemon.restarts = 2;
    daemon.last_exit = "killed by SIGKILL";
    model.services = {{"dockerd", daemon}, {"agent", {}}};
    model.timeline = {{"exec", Milliseconds(3)}, {"agent start", Milliseconds(60)}};
    model.orphans_reaped = 7;
    return model;
}

TEST(StatusJson, HasTheDocumentedShape) {
    const json::object status = to_json(running_model());
    EXPECT_THAT(keys_of(status), ElementsAre("schema", "version", "pid", "phase", "ready", "reason", "mode",
                                             "containment", "engine", "agent", "relaxed", "job", "services",
                                             "timeline", "orphans_reaped", "dropped_log_lines"));
    EXPECT_EQ(to_text(status.at("schema")), "1");
    EXPECT_EQ(to_text(status.at("phase")), "\"running\"");
    EXPECT_EQ(to_text(status.at("ready")), "true");
    EXPECT_EQ(to_text(status.at("job")),
              R"({"running":true,"since":"2024-01-01T00:00:00.000Z","finished":3})");
    const auto& services = status.at("services").as_array();
    ASSERT_EQ(services.size(), 2U);
    EXPECT_THAT(keys_of(services[0].as_object()),
                ElementsAre("name", "state", "since", "pid", "restarts", "last_exit", "cause"));
    EXPECT_EQ(to_text(services[0].at("pid")), "42");
    EXPECT_EQ(to_text(services[1].at("pid")), "null") << "no process, no number";
    EXPECT_EQ(to_text(status.at("timeline")),
              R"([{"event":"exec","milliseconds":3},{"event":"agent start","milliseconds":60}])");
}

TEST(StatusJson, IsNotReadyBeforeAnythingIsKnown) {
    const json::object status = to_json(StatusModel{});
    EXPECT_EQ(to_text(status.at("ready")), "false");
    EXPECT_EQ(to_text(status.at("reason")), "\"starting\"");
    EXPECT_EQ(to_text(status.at("phase")), "\"starting\"");
}

TEST(StatusJson, TimesAreUtcWithMilliseconds) {
    EXPECT_EQ(utc_text(std::chrono::system_clock::time_point(Milliseconds(1'700'000'000'042))),
              "2023-11-14T22:13:20.042Z");
}

class StatusWriterTest : public testing::Test {
  protected:
    StatusWriterTest() {
        char name[] = "/tmp/status_test.XXXXXX";
        directory = ::mkdtemp(name);
    }
    ~StatusWriterTest() override { std::filesystem::remove_all(directory); }

    StatusWriter writer_in(const std::string& where) {
        return StatusWriter(*loop, where, [this] {
            ++snapshots;
            return running_model();
        });
    }
    std::string printed(const std::function<int()>& command) {
        testing::internal::CaptureStdout();
        code = command();
        return testing::internal::GetCapturedStdout();
    }

    std::string directory;
    std::unique_ptr<loop::EventLoop> loop = std::move(loop::EventLoop::create().value());
    int snapshots = 0;
    int code = -1;
};

TEST_F(StatusWriterTest, WritesOnceATurnHoweverOftenItIsTouched) {
    auto writer = writer_in(directory);
    for (int i = 0; i < 100; ++i) writer.touch();
    EXPECT_EQ(snapshots, 0);
    ASSERT_TRUE(loop->turn(Milliseconds(0)));
    EXPECT_EQ(snapshots, 1);
    EXPECT_TRUE(sys::exists(directory + "/status.json"));
    writer.touch();
    ASSERT_TRUE(loop->turn(Milliseconds(0)));
    EXPECT_EQ(snapshots, 2);
}

TEST_F(StatusWriterTest, EventsAreOneJsonObjectALine) {
    auto writer = writer_in(directory);
    writer.event("engine ready", "Docker \"26\"");
    writer.event("stop asked");
    const auto text = sys::read_file(directory + "/events.jsonl");
    ASSERT_TRUE(text);
    const auto lines = split_lines(*text);
    ASSERT_EQ(lines.size(), 2U);
    const auto first = parse_json(lines[0]);
    ASSERT_TRUE(first);
    EXPECT_THAT(keys_of(first->as_object()), ElementsAre("time", "event", "detail"));
    EXPECT_EQ(to_text(first->at("detail")), R"("Docker \"26\"")");
}

TEST_F(StatusWriterTest, TheEventsFileIsBounded) {
    auto writer = writer_in(directory);
    for (int i = 0; i < 40; ++i) writer.event("big", std::string(30'000, 'x'));
    EXPECT_LT(std::filesystem::file_size(directory + "/events.jsonl"), 600'000U);
    EXPECT_TRUE(sys::exists(directory + "/events.jsonl.1"));
}

TEST_F(StatusWriterTest, ADirectoryThatIsGoneCostsOnlyTheFiles) {
    auto writer = writer_in(directory + "/missing");
    writer.event("one");
    writer.event("two");
    writer.write_now();
    EXPECT_FALSE(sys::exists(directory + "/missing"));
}

TEST_F(StatusWriterTest, RemoveLeavesNothing) {
    auto writer = writer_in(directory);
    writer.event("one");
    writer.write_now();
    writer.remove();
    EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST_F(StatusWriterTest, TheCommandsReadWhatWasWritten) {
    auto writer = writer_in(directory);
    writer.event("engine ready");
    writer.write_now();
    EXPECT_THAT(printed([&] { return print_status(directory, false, false); }),
                testing::AllOf(HasSubstr("running, ready"), HasSubstr("dockerd      ready"),
                               HasSubstr("2 restarts"), HasSubstr("killed by SIGKILL")));
    EXPECT_EQ(code, 0);
    EXPECT_THAT(printed([&] { return print_status(directory, true, false); }), HasSubstr("\"schema\""));
    EXPECT_THAT(printed([&] { return print_status(directory, false, true); }), HasSubstr("agent start"));
    EXPECT_THAT(printed([&] { return print_events(directory, false); }), HasSubstr("engine ready"));
    EXPECT_EQ(printed([&] { return print_health(directory, false); }), "ready\n");
    EXPECT_EQ(code, 0);
}

TEST_F(StatusWriterTest, HealthSaysTheReasonInOneLine) {
    auto model = running_model();
    model.not_ready_because = "the engine is starting";
    StatusWriter writer(*loop, directory, [&] { return model; });
    writer.write_now();
    EXPECT_EQ(printed([&] { return print_health(directory, false); }), "the engine is starting\n");
    EXPECT_EQ(code, 1);
    EXPECT_EQ(printed([&] { return print_health(directory, true); }), "the engine is starting\n");
    EXPECT_EQ(code, 0) << "alive";
}

TEST_F(StatusWriterTest, WithoutASupervisorTheCommandsSaySo) {
    EXPECT_THAT(printed([&] { return print_health(directory, false); }), HasSubstr("not started"));
    EXPECT_EQ(code, 1);
    EXPECT_THAT(printed([&] { return print_status(directory, false, false); }), HasSubstr("not started"));
    EXPECT_EQ(code, 1);
}

TEST_F(StatusWriterTest, AStatusOfAnotherVersionIsNoCrash) {
    ASSERT_TRUE(sys::replace_file(directory + "/status.json", "{\"schema\":9}", 0644));
    EXPECT_THAT(printed([&] { return print_status(directory, false, false); }), HasSubstr("another version"));
    EXPECT_EQ(code, 1);
    EXPECT_THAT(printed([&] { return print_health(directory, false); }), HasSubstr("gone"));
    EXPECT_EQ(code, 1);
}

}  // namespace
}  // namespace supervisor::cli
