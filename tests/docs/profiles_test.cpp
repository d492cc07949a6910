// The profiles have the form that GoCD's API, the plugins, Kubernetes and Compose take.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "docs/page.hpp"
#include "support/command.hpp"
#include "support/docker.hpp"

namespace docs_test {
namespace {

namespace fs = std::filesystem;
using test_support::run_command;
using test_support::trimmed;

// The distribution's: its packages belong to it.
constexpr const char* kPython = "/usr/bin/python3";

// Keys that the plugins' own metadata lists.
struct Plugin {
    const char* folder;
    const char* id;
    std::set<std::string> cluster_keys;
    std::set<std::string> agent_keys;
    std::set<std::string> required;  // of the agent profile
};

const Plugin kPlugins[] = {
    {"docker",
     "cd.go.contrib.elastic-agent.docker",
     {"go_server_url", "environment_variables", "max_docker_containers", "docker_uri",
      "auto_register_timeout", "docker_ca_cert", "docker_client_key", "docker_client_cert",
      "enable_private_registry_authentication", "private_registry_server",
      "private_registry_custom_credentials", "private_registry_username", "private_registry_password",
      "pull_on_container_create"},
     {"Image", "Command", "Environment", "ReservedMemory", "MaxMemory", "Cpus", "Mounts", "Networks", "Hosts",
      "Privileged"},
     {"Image"}},
    {"swarm",
     "cd.go.contrib.elastic-agent.docker-swarm",
     {"go_server_url", "environment_variables", "max_docker_containers", "docker_uri",
      "auto_register_timeout", "docker_ca_cert", "docker_client_key", "docker_client_cert",
      "enable_private_registry_authentication", "private_registry_server",
      "private_registry_custom_credentials", "private_registry_username", "private_registry_password"},
     {"Image", "Command", "Environment", "MaxMemory", "ReservedMemory", "Secrets", "Networks", "Mounts",
      "Hosts", "Constraints", "LogDriver", "LogDriverOptions"},
     {"Image"}},
    {"ecs",
     "com.thoughtworks.gocd.elastic-agent.ecs",
     {"GoServerUrl", "ContainerAutoregisterTimeout", "ClusterName", "AWSRegion", "IamInstanceProfile"},
     {"Image", "Command", "Environment", "MaxMemory", "ReservedMemory", "CPU", "MountDockerSocket",
      "Privileged", "TaskRoleArn", "AMI", "InstanceType", "SubnetIds", "SecurityGroupIds",
      "IAMInstanceProfile", "Platform", "BindMount"},
     {"Image", "MaxMemory", "CPU"}},
};

std::set<std::string> jq_lines(const std::string& filter, const std::string& file) {
    const auto result = run_command({"jq", "-r", filter, file});
    EXPECT_TRUE(result.ok()) << file << ": " << result.err;
    const auto lines = test_support::lines(result.out);
    return {lines.begin(), lines.end()};
}

void expect_subset(const std::set<std::string>& keys, const std::set<std::string>& known,
                   const std::string& file) {
    for (const auto& key : keys)
        EXPECT_TRUE(known.contains(key)) << file << ": the plugin knows no key " << key;
}

void expect_agent_profile(const Plugin& plugin, const std::string& file) {
    const auto keys = jq_lines(".properties[].key", file);
    expect_subset(keys, plugin.agent_keys, file);
    for (const auto& key : plugin.required) EXPECT_TRUE(keys.contains(key)) << file << " lacks " << key;
    EXPECT_EQ(jq_lines(".cluster_profile_id", file), std::set<std::string>{plugin.folder}) << file;
    EXPECT_EQ(jq_lines(".id", file), std::set<std::string>{fs::path(file).stem().string()}) << file;
    EXPECT_EQ(jq_lines("[.properties[].value | type] | unique | .[]", file), std::set<std::string>{"string"})
        << file;
}

TEST(Profiles, HaveTheKeysThatTheirPluginsKnow) {
    for (const auto& plugin : kPlugins) {
        const std::string folder = in_source(std::string("images/profiles/") + plugin.folder);
        const std::string cluster = folder + "/cluster.json";
        EXPECT_EQ(jq_lines(".plugin_id", cluster), std::set<std::string>{plugin.id});
        EXPECT_EQ(jq_lines(".id", cluster), std::set<std::string>{plugin.folder});
        expect_subset(jq_lines(".properties[].key", cluster), plugin.cluster_keys, cluster);
        for (const auto& entry : fs::directory_iterator(folder)) {
            if (entry.path().filename() != "cluster.json")
                expect_agent_profile(plugin, entry.path().string());
        }
    }
}

TEST(Profiles, SwarmAsksForNothingThatSwarmCannotDo) {
    const auto keys = jq_lines(".properties[].key", in_source("images/profiles/swarm/dood.json"));
    EXPECT_FALSE(keys.contains("Privileged"));
    EXPECT_FALSE(keys.contains("Command"));  // would replace the entrypoint
}

TEST(Profiles, KubernetesProfileHoldsItsPod) {
    const std::string folder = in_source("images/profiles/kubernetes");
    const auto made =
        run_command({"jq", "-n", "--rawfile", "pod", folder + "/pod.yaml", "-f", folder + "/dind.jq"});
    ASSERT_TRUE(made.ok()) << made.err;
    const auto pod =
        run_command({"jq", "-r", ".properties[] | select(.key == \"PodConfiguration\") | .value"},
                    {.input = made.out, .environment = {}});
    EXPECT_EQ(trimmed(pod.out), trimmed(file_text(folder + "/pod.yaml")));
}

TEST(Profiles, PodsFollowTheSchemaOfKubernetes) {
    if (!run_command({kPython, "-c", "import kubernetes.client, yaml"}).ok())
        GTEST_SKIP() << "python3-kubernetes and python3-yaml are not installed";
    for (const char* name : {"pod.yaml", "pod-less-privileged.yaml"}) {
        const auto checked = run_command({kPython, in_source("tests/docs/check_pod.py"),
                                          in_source(std::string("images/profiles/kubernetes/") + name)});
        EXPECT_TRUE(checked.ok()) << name << ": " << checked.text();
    }
}

TEST(Profiles, ComposeTakesItsFile) {
    const char* image = std::getenv("E2E_IMAGE");
    const std::string tested = image != nullptr ? image : "gocd-agent-dind:test";
    if (!test_support::docker({"image", "inspect", tested}).ok())
        GTEST_SKIP() << "the image under test is not there";
    // The image has a compose of its own; the file goes in by stdin.
    const auto checked = run_command(
        {"docker", "run", "--rm", "-i", "-e", "AGENT_AUTO_REGISTER_KEY=key", "--entrypoint", "docker", tested,
         "compose", "-f", "-", "config", "--quiet"},
        {.input = file_text(in_source("images/profiles/compose/compose.yaml")), .environment = {}});
    EXPECT_TRUE(checked.ok()) << checked.text();
}

}  // namespace
}  // namespace docs_test
