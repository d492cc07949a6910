#include "agent/directories.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sys/files.hpp"

namespace supervisor::agent {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Directories : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "agentXXXXXX";
        root_ = mkdtemp(pattern.data());
        for (const auto* name : {"work", "volume", "home/wrapper-config", "home/bin"})
            fs::create_directories(root_ + '/' + name);
        settings_.working_directory = root_ + "/work";
        settings_.volume_directory = root_ + "/volume";
        settings_.agent_home = root_ + "/home";
        settings_.server_url = "http://s/go";
        settings_.registration.key = Secret("sesame");
        settings_.registration.resources = "docker";
    }
    void TearDown() override { fs::remove_all(root_); }

    Result<Prepared> prepare(LaunchMode mode = LaunchMode::Direct) {
        return prepare_directories(settings_, mode, self_);
    }
    std::string work(const std::string& name) const { return root_ + "/work/" + name; }
    std::string read(const std::string& name) const { return sys::read_file_or(work(name)); }
    void write(const std::string& name, const std::string& text) const { std::ofstream(work(name)) << text; }

    const Owner self_{geteuid(), getegid()};
    std::string root_;
    Settings settings_;
};

TEST_F(Directories, AreMadeInTheVolumeAndLinked) {
    const auto prepared = prepare();
    ASSERT_TRUE(prepared) << prepared.error().message();
    EXPECT_FALSE(prepared->registered);
    EXPECT_THAT(prepared->notes, IsEmpty());
    for (const std::string name : {"config", "logs", "pipelines"}) {
        EXPECT_EQ(fs::read_symlink(work(name)), root_ + "/volume/" + name);
    }
    EXPECT_THAT(read("config/agent-logback-include.xml"), HasSubstr("[%thread] %logger{0}:%line - %msg%n"));
    EXPECT_FALSE(fs::exists(work("bin")));
}

TEST_F(Directories, KeepWhatIsThereAndCanBePreparedAgain) {
    fs::create_directory(work("pipelines"));
    fs::create_directory(root_ + "/volume/config");
    std::ofstream(root_ + "/volume/config/agent-logback-include.xml") << "mine";
    fs::create_symlink(root_ + "/gone", work("logs"));
    for (int run = 0; run < 2; ++run) {
        const auto prepared = prepare();
        ASSERT_TRUE(prepared) << prepared.error().message();
        EXPECT_FALSE(fs::is_symlink(work("pipelines")));
        EXPECT_EQ(fs::read_symlink(work("logs")), root_ + "/volume/logs");
        EXPECT_EQ(read("config/agent-logback-include.xml"), "mine");
    }
}

TEST_F(Directories, UseTheImagesLoggingConfiguration) {
    fs::create_directory(root_ + "/home/config");
    std::ofstream(root_ + "/home/config/agent-logback-include.xml") << "the image's";
    ASSERT_TRUE(prepare());
    EXPECT_EQ(read("config/agent-logback-include.xml"), "the image's");
}

TEST_F(Directories, BelongToOneSupervisor) {
    auto first = prepare();
    ASSERT_TRUE(first);
    const auto second = prepare();
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message(), HasSubstr("another agent runs in " + settings_.working_directory));
    first->lock.reset();
    EXPECT_TRUE(prepare());
}

TEST_F(Directories, LoseALeftoverLauncherLock) {
    write(".agent-bootstrapper.running", "");
    const auto prepared = prepare(LaunchMode::Bootstrapper);
    ASSERT_TRUE(prepared);
    EXPECT_FALSE(fs::exists(work(".agent-bootstrapper.running")));
    EXPECT_THAT(prepared->notes, ElementsAre(HasSubstr(".agent-bootstrapper.running")));
}

TEST_F(Directories, WrapperGetsItsLinksAndProperties) {
    fs::create_symlink("/nowhere/agent.jar", work("agent.jar"));
    ASSERT_TRUE(prepare(LaunchMode::Wrapper));
    EXPECT_EQ(fs::read_symlink(work("wrapper-config")), root_ + "/home/wrapper-config");
    EXPECT_THAT(read("wrapper-config/wrapper-properties.conf"),
                HasSubstr("wrapper.app.parameter.101=http://s/go"));
    EXPECT_FALSE(fs::is_symlink(work("agent.jar")));
}

TEST_F(Directories, ForgetAnotherElasticAgent) {
    settings_.registration.elastic_plugin_id = "plugin";
    settings_.registration.elastic_agent_id = "one";
    ASSERT_TRUE(prepare());
    ASSERT_TRUE(write_autoregister(settings_, self_));
    write("config/token", "t");
    write("config/guid.txt", "g");
    ASSERT_TRUE(prepare());
    EXPECT_EQ(read("config/token"), "t");

    settings_.registration.elastic_agent_id = "two";
    const auto prepared = prepare();
    ASSERT_TRUE(prepared);
    EXPECT_FALSE(prepared->registered);
    EXPECT_FALSE(fs::exists(work("config/token")));
    EXPECT_FALSE(fs::exists(work("config/guid.txt")));
    EXPECT_THAT(prepared->notes, ElementsAre(HasSubstr("another elastic agent")));
}

TEST_F(Directories, NameTheFixWhenTheVolumeIsNotWritable) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root, to be refused as somebody else";
    fs::permissions(root_, fs::perms(0755));
    fs::create_directory(root_ + "/volume/of-somebody");
    const auto prepared = prepare_directories(settings_, LaunchMode::Direct, Owner{1000, 0});
    ASSERT_FALSE(prepared);
    EXPECT_THAT(prepared.error().message(), HasSubstr("chown 1000:0"));
}

TEST_F(Directories, OfAnImageThatIsRootsServeTheWrapperToo) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root, to work as somebody else";
    fs::permissions(root_, fs::perms(0755));
    fs::create_directory(root_ + "/home/run");
    std::ofstream(root_ + "/home/run/.ignore") << "";
    const auto prepared = prepare_directories(settings_, LaunchMode::Wrapper, Owner{1000, 0});
    ASSERT_TRUE(prepared) << prepared.error().message();
    struct stat status = {};
    ASSERT_EQ(stat((root_ + "/home/run").c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 1000U);
    ASSERT_EQ(stat((root_ + "/home/wrapper-config/wrapper-properties.conf").c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 0U);
}

TEST_F(Directories, ThatAreEmptyAndRootsAreGivenToTheAgent) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root, to work as somebody else";
    fs::permissions(root_, fs::perms(0755));
    const auto prepared = prepare_directories(settings_, LaunchMode::Direct, Owner{1000, 0});
    ASSERT_TRUE(prepared) << prepared.error().message();
    EXPECT_THAT(prepared->notes, ElementsAre(HasSubstr("/volume was empty"), HasSubstr("/work was empty")));
}

TEST_F(Directories, BelongToTheAgentAndTrapsLeadNowhere) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root, to work as somebody else";
    fs::permissions(root_, fs::perms(0755));
    for (const auto* name : {"/work", "/volume"}) ASSERT_EQ(chown((root_ + name).c_str(), 1000, 0), 0);
    const Owner go{1000, 0};
    ASSERT_TRUE(prepare_directories(settings_, LaunchMode::Direct, go));
    struct stat status = {};
    ASSERT_EQ(stat(work("config/agent-logback-include.xml").c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 1000U);

    fs::create_directory(root_ + "/roots");
    fs::remove_all(root_ + "/volume/config");
    fs::create_symlink(root_ + "/roots", root_ + "/volume/config");
    EXPECT_FALSE(write_autoregister(settings_, go));
    EXPECT_TRUE(fs::is_empty(root_ + "/roots"));
    EXPECT_TRUE(sys::replace_file(root_ + "/roots/own", "rights are back", 0600));
}

TEST_F(Directories, AutoregisterHoldsTheKeyOnlyWithoutAToken) {
    ASSERT_TRUE(prepare());
    ASSERT_TRUE(write_autoregister(settings_, self_));
    ASSERT_TRUE(write_autoregister(settings_, self_));
    EXPECT_EQ(read("config/autoregister.properties"),
              "agent.auto.register.key=sesame\nagent.auto.register.resources=docker\n");

    write("config/autoregister.properties", "#agent.auto.register.key=sesame\n");
    write("config/token", "t");
    ASSERT_TRUE(write_autoregister(settings_, self_));
    EXPECT_EQ(read("config/autoregister.properties"), "");

    fs::remove(work("config/token"));
    ASSERT_TRUE(write_autoregister(settings_, self_));
    EXPECT_THAT(read("config/autoregister.properties"), HasSubstr("sesame"));
}

TEST_F(Directories, AutoregisterOfTheUserIsHisUntilTheAgentIsRegistered) {
    const auto brought = "# mine\nagent.auto.register.key = brought\nagent.auto.register.resources=a,b\n";
    const auto saved = root_ + "/saved/autoregister.properties";
    settings_.registration = {};
    fs::create_directory(root_ + "/volume/config");
    std::ofstream(root_ + "/volume/config/autoregister.properties") << brought;
    ASSERT_TRUE(adopt_registration(settings_, self_, saved));
    ASSERT_TRUE(prepare());
    ASSERT_TRUE(write_autoregister(settings_, self_));
    EXPECT_EQ(read("config/autoregister.properties"), brought);
    EXPECT_EQ(fs::status(saved).permissions(), fs::perms(0600));

    // What an agent does: a token, then the file with its lines as comments.
    write("config/token", "t");
    ASSERT_TRUE(follow_registration(settings_, self_));
    EXPECT_EQ(read("config/autoregister.properties"), brought);
    write("config/autoregister.properties",
          "#agent.auto.register.key = brought\n#agent.auto.register.resources=a,b\n");
    ASSERT_TRUE(follow_registration(settings_, self_));
    EXPECT_EQ(read("config/autoregister.properties"), "");

    // The next life of the container has only the copy, and the agent has lost its token.
    settings_.registration = {};
    ASSERT_TRUE(adopt_registration(settings_, self_, saved));
    ASSERT_TRUE(write_autoregister(settings_, self_));
    EXPECT_EQ(read("config/autoregister.properties"), "");
    fs::remove(work("config/token"));
    ASSERT_TRUE(follow_registration(settings_, self_));
    EXPECT_EQ(read("config/autoregister.properties"),
              "agent.auto.register.key=brought\nagent.auto.register.resources=a,b\n");
}

TEST_F(Directories, AutoregisterThatAnOfficialStartLeftIsTakenFromItsComments) {
    settings_.registration = {};
    ASSERT_TRUE(prepare());
    write("config/token", "t");
    write("config/autoregister.properties",
          "#agent.auto.register.key=spent\nagent.auto.register.elasticAgent.agentId=one\n"
          "agent.auto.register.elasticAgent.pluginId=plugin\n");
    ASSERT_TRUE(adopt_registration(settings_, self_, root_ + "/saved/copy"));
    EXPECT_EQ(settings_.registration.key.reveal(), "spent");
    ASSERT_TRUE(write_autoregister(settings_, self_));
    EXPECT_THAT(read("config/autoregister.properties"), Not(HasSubstr("spent")));
    EXPECT_THAT(read("config/autoregister.properties"), HasSubstr("agentId=one"));
}

TEST_F(Directories, AutoregisterFollowsTheTokenToAnotherPlace) {
    settings_.jvm_opts = {"-Dcruise.config.dir=identity"};
    fs::create_directory(work("identity"));
    ASSERT_TRUE(prepare());
    write("identity/token", "t");
    ASSERT_TRUE(write_autoregister(settings_, self_));
    EXPECT_EQ(read("config/autoregister.properties"), "");
}

TEST_F(Directories, AutoregisterTakesWhatAScriptHasAdded) {
    ASSERT_TRUE(prepare());
    ASSERT_TRUE(write_autoregister(settings_, self_));
    std::ofstream(work("config/autoregister.properties"), std::ios::app)
        << "agent.auto.register.resources=more\n";
    read_back_registration(settings_, self_);
    EXPECT_EQ(settings_.registration.resources, "more");
    EXPECT_EQ(settings_.registration.key.reveal(), "sesame");
}

TEST_F(Directories, AutoregisterThatIsNoFileMakesNobodyWait) {
    ASSERT_TRUE(prepare());
    ASSERT_EQ(mkfifo(work("config/autoregister.properties").c_str(), 0600), 0);
    ASSERT_TRUE(write_autoregister(settings_, self_));
    EXPECT_THAT(read("config/autoregister.properties"), HasSubstr("sesame"));
}

TEST_F(Directories, LauncherLockOfAKilledLauncherGoesBeforeTheNextStart) {
    EXPECT_FALSE(*remove_launcher_lock(settings_, self_));
    write(".agent-bootstrapper.running", "");
    EXPECT_TRUE(*remove_launcher_lock(settings_, self_));
    EXPECT_FALSE(fs::exists(work(".agent-bootstrapper.running")));
}

TEST_F(Directories, LaunchFactsAreReadFromTheImage) {
    settings_.java_home = root_ + "/jre";
    fs::create_directories(root_ + "/jre");
    std::ofstream(root_ + "/jre/release") << "JAVA_RUNTIME_VERSION=\"25\"\n";
    std::ofstream(root_ + "/home/agent.aot") << "12345";
    std::ofstream(root_ + "/home/agent.aot.record") << "jre=25\njar=ab\nsize=5\nsum=1\nflag=-X\n";
    const auto facts = read_launch_facts(settings_, "/bin/sh", root_ + "/baked", root_ + "/home/agent.aot");
    EXPECT_TRUE(facts.has_fetcher);
    EXPECT_FALSE(facts.has_bootstrapper);
    EXPECT_EQ(facts.baked_directory, "");
    EXPECT_EQ(facts.jre, "25");
    ASSERT_TRUE(facts.aot);
    EXPECT_EQ(facts.aot->size, 5U);
    EXPECT_FALSE(read_launch_facts(settings_, "/none", "", root_ + "/none").aot);
}

}  // namespace
}  // namespace supervisor::agent
