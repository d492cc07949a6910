// Each elastic agent plugin's part against a real engine: create with its names, variables and labels, one
// job, stop with the time that it gives, removal. What the plugins do is in docs/elastic-*.md; the docker
// plugin's container is made from the profile that we ship.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using test_support::docker;
using test_support::eventually;
using test_support::run_command;
using test_support::trimmed;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kKey = "an-elastic-key-that-works-once";
// On the host's engine: leaves a container behind.
constexpr const char* kLeavesSomething =
    "docker run -d --name left inner-busybox:test sleep 600 && docker run --rm inner-busybox:test echo said "
    "inside";
constexpr const char* kEverything =
    "docker load -qi /inner/busybox.tar && docker run --rm inner-busybox:test echo said inside";

std::string new_uuid() {
    std::string uuid;
    std::ifstream("/proc/sys/kernel/random/uuid") >> uuid;
    return uuid;
}

// A container as a plugin makes it: created, then started, so that a failure of either is seen.
class PluginContainer {
  public:
    PluginContainer(std::string name, const Arguments& options, const Arguments& command = {})
        : name_(std::move(name)) {
        Arguments create{"create", "--name", name_, "-v", inner_folder() + ":/inner:ro"};
        if (const auto parent = test_support::cgroup_parent(); !parent.empty())
            create.push_back("--cgroup-parent=" + parent);
        create.insert(create.end(), options.begin(), options.end());
        create.push_back(dind_image());
        create.insert(create.end(), command.begin(), command.end());
        const auto created = docker(create);
        EXPECT_TRUE(created.ok()) << created.text();
        const auto started = docker({"start", name_});
        EXPECT_TRUE(started.ok()) << started.text();
    }
    PluginContainer(const PluginContainer&) = delete;
    PluginContainer& operator=(const PluginContainer&) = delete;
    ~PluginContainer() { docker({"rm", "-f", "-v", name_}); }

    [[nodiscard]] std::string logs() const { return docker({"logs", name_}).text(); }
    [[nodiscard]] std::string state(const std::string& field) const {
        return trimmed(docker({"inspect", "-f", "{{.State." + field + "}}", name_}).out);
    }
    [[nodiscard]] test_support::CommandResult exec(const Arguments& command) const {
        Arguments words{"exec", name_};
        words.insert(words.end(), command.begin(), command.end());
        return docker(words);
    }
    [[nodiscard]] std::vector<std::string> volumes() const {
        const auto names =
            docker({"inspect", "-f", "{{range .Mounts}}{{if .Name}}{{println .Name}}{{end}}{{end}}", name_});
        return test_support::lines(trimmed(names.out));
    }
    bool ends(std::chrono::milliseconds within) const {
        return eventually([&] { return state("Running") == "false"; }, within);
    }
    // Stop, then remove with volumes and without force, as the plugins do.
    void terminate(int seconds_to_live) const {
        const auto stopped = docker({"stop", "-t", std::to_string(seconds_to_live), name_});
        EXPECT_TRUE(stopped.ok()) << stopped.text();
        // 137 would mean that the time did not suffice.
        EXPECT_EQ(state("ExitCode"), "0") << logs();
        const auto removed = docker({"rm", "-v", name_});
        EXPECT_TRUE(removed.ok()) << removed.text();
    }

  private:
    std::string name_;
};

struct Plugin {
    const char* name;
    const char* id;
    int seconds_to_live;  // between the plugin's TERM and KILL
    bool privileged;
    std::string (*agent_id)();
    Arguments more;  // options that its platform adds
};

void PrintTo(const Plugin& plugin, std::ostream* out) {
    *out << plugin.name;
}

std::string ecs_name() {
    std::string name = "GoCD" + new_uuid();
    name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
    return name;
}

std::string pod_name() {
    return "k8s-ea-" + new_uuid();
}

const Plugin kPlugins[] = {
    {"Docker", "cd.go.contrib.elastic-agent.docker", 2, true, new_uuid, {}},
    {"Ecs", "com.thoughtworks.gocd.elastic-agent.ecs", 30, true, ecs_name, {"--memory-reservation", "512m"}},
    {"Kubernetes",
     "cd.go.contrib.elasticagent.kubernetes",
     30,
     true,
     pod_name,
     {"-e", "KUBERNETES_SERVICE_HOST=10.96.0.1", "-e", "GOCD_STOP_TIMEOUT=25s", "-e",
      "GOCD_DRAIN_TIMEOUT=30s"}},
    {"Swarm", "cd.go.contrib.elastic-agent.docker-swarm", 10, false, new_uuid, {"--restart", "always"}},
};

Arguments elastic_variables(const Plugin& plugin, const std::string& agent_id, const std::string& server) {
    Arguments options;
    for (const auto& variable : {"GO_EA_SERVER_URL=" + server, std::string("GO_EA_AUTO_REGISTER_KEY=") + kKey,
                                 std::string("GO_EA_AUTO_REGISTER_ENVIRONMENT=test"),
                                 "GO_EA_AUTO_REGISTER_ELASTIC_AGENT_ID=" + agent_id,
                                 std::string("GO_EA_AUTO_REGISTER_ELASTIC_PLUGIN_ID=") + plugin.id}) {
        options.insert(options.end(), {"-e", variable});
    }
    return options;
}

std::string engine_socket() {
    const char* host = std::getenv("DOCKER_HOST");
    const std::string text = host == nullptr ? "unix:///var/run/docker.sock" : host;
    return text.starts_with("unix://") ? text.substr(7) : "";
}

// Every option of `docker run` that a docker plugin's profile stands for.
Arguments options_of_profile(const std::string& file) {
    const auto made = run_command({"jq", "-r",
                                   R"([.properties[] | {(.key): .value}] | add
            | (if .Privileged == "true" then "--privileged" else empty end),
              (if .MaxMemory then "--memory=" + .MaxMemory else empty end),
              ((.Environment // "") | split("\n")[] | "--env=" + .),
              ((.Mounts // "") | split("\n")[] | "--volume=" + .))",
                                   file});
    EXPECT_TRUE(made.ok()) << made.text();
    return test_support::lines(made.out);
}

// Cgroups below the one that all containers of this test process have as parent; a process that lives keeps
// its own.
std::vector<std::string> cgroups_left() {
    namespace fs = std::filesystem;
    std::vector<std::string> left;
    const auto parent = test_support::cgroup_parent();
    if (parent.empty()) return left;
    std::error_code ignored;
    std::vector<fs::path> roots{"/sys/fs/cgroup"};
    for (const auto& controller : fs::directory_iterator("/sys/fs/cgroup", ignored))
        roots.push_back(controller.path());
    for (const auto& root : roots) {
        for (const auto& entry : fs::directory_iterator(root.string() + parent, ignored)) {
            if (entry.is_directory(ignored)) left.push_back("cgroup " + entry.path().string());
        }
    }
    return left;
}

// What is still there of an agent: only its own, so that others may use the engine meanwhile.
std::vector<std::string> left_of(const std::string& agent_id, const std::vector<std::string>& volumes) {
    auto left = cgroups_left();
    if (docker({"inspect", agent_id}).ok()) left.push_back("container " + agent_id);
    for (const auto& volume : volumes) {
        if (docker({"volume", "inspect", volume}).ok()) left.push_back("volume " + volume);
    }
    const std::string owned = "label=org.gocd.agent.id=" + agent_id;
    for (const char* kind : {"container", "network", "volume"}) {
        Arguments list{kind, "ls", "-q", "--filter", owned};
        if (std::string(kind) == "container") list.emplace_back("-a");
        for (const auto& id : test_support::lines(docker(list).out))
            left.push_back(std::string(kind) + " " + id);
    }
    return left;
}

std::vector<std::string> settled(const std::string& agent_id, const std::vector<std::string>& volumes) {
    std::vector<std::string> left;
    eventually([&] { return (left = left_of(agent_id, volumes)).empty(); }, seconds(10));
    return left;
}

class Elastic : public EndToEnd, public ::testing::WithParamInterface<Plugin> {};

TEST_P(Elastic, AgentComesUpDoesItsJobGoesAndLeavesNothing) {
    const Plugin& plugin = GetParam();
    const std::string agent_id = plugin.agent_id();
    const StubServer server({"--key", kKey, "--job", plugin.privileged ? kEverything : kLeavesSomething});
    ASSERT_NE(server.url(), "");
    Arguments options = elastic_variables(plugin, agent_id, server.url());
    options.insert(options.end(), plugin.more.begin(), plugin.more.end());
    if (plugin.privileged) {
        options.emplace_back("--privileged");
    } else {
        ASSERT_NE(engine_socket(), "") << "the engine has no socket that could be mounted";
        options.insert(options.end(), {"-v", engine_socket() + ":/var/run/docker.sock"});
    }
    std::vector<std::string> volumes;
    {
        const PluginContainer container(agent_id, options);
        volumes = container.volumes();
        EXPECT_GE(volumes.size(), 3U);
        ASSERT_TRUE(server.wait_for_record("job_completed", seconds(90)))
            << server.record() << container.logs();
        EXPECT_THAT(server.record(), HasSubstr("\"result\":\"Passed\"")) << container.logs();
        EXPECT_THAT(server.record(), HasSubstr("said inside"));
        EXPECT_THAT(server.record(), HasSubstr(agent_id));
        EXPECT_THAT(server.record(), HasSubstr(plugin.id));
        EXPECT_TRUE(container.exec({"gocd-supervisor", "health", "--ready"}).ok());
        EXPECT_TRUE(container.exec({"gocd-supervisor", "health", "--live"}).ok());
        container.terminate(plugin.seconds_to_live);
    }
    EXPECT_THAT(settled(agent_id, volumes), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Plugins, Elastic, ::testing::ValuesIn(kPlugins),
                         [](const auto& each) { return std::string(each.param.name); });

class DockerPlugin : public EndToEnd {
  protected:
    const Plugin& plugin_ = kPlugins[0];
    const std::string id_ = new_uuid();

    Arguments options(const std::string& server) const {
        Arguments all = options_of_profile(std::string(SOURCE_ROOT) + "/images/profiles/docker/dind.json");
        const auto variables = elastic_variables(plugin_, id_, server);
        all.insert(all.end(), variables.begin(), variables.end());
        const Arguments labels = {
            "Elastic-Agent-Created-By=" + std::string(plugin_.id),
            R"(Elastic-Agent-Job-Identifier={"pipeline_name":"p","pipeline_counter":1,"stage_name":"s"})",
            "Elastic-Agent-Environment-Name=test"};
        for (const auto& label : labels) {
            all.insert(all.end(), {"--label", label});
        }
        return all;
    }
};

TEST_F(DockerPlugin, ShippedProfileMakesAnAgentThatWorks) {
    const StubServer server({"--key", kKey, "--job", kEverything});
    const PluginContainer container(id_, options(server.url()));
    ASSERT_TRUE(server.wait_for_record("job_completed", seconds(90))) << server.record() << container.logs();
    EXPECT_THAT(server.record(), HasSubstr("\"result\":\"Passed\"")) << container.logs();
    container.terminate(2);
}

TEST_F(DockerPlugin, CommandRunsInsteadOfTheAgent) {
    const PluginContainer container(id_, options("http://127.0.0.1:1/go"),
                                    {"sh", "-c", "docker version >/dev/null && exit 7"});
    ASSERT_TRUE(container.ends(seconds(60))) << container.logs();
    EXPECT_EQ(container.state("ExitCode"), "7") << container.logs();
}

// Its key is used up: nobody could start it again.
TEST_F(DockerPlugin, ContainerEndsWithItsAgent) {
    const StubServer server({"--key", kKey, "--job", "sleep 300"});
    const PluginContainer container(id_, options(server.url()));
    ASSERT_TRUE(server.wait_for_record("\"work\"", seconds(90))) << server.record() << container.logs();
    EXPECT_EQ(container.exec({"sh", "-c", "pkill -9 java; true"}).out, "");
    ASSERT_TRUE(container.ends(seconds(30))) << container.logs();
    EXPECT_EQ(container.state("ExitCode"), "137") << container.logs();
}

}  // namespace
}  // namespace e2e
