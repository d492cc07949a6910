// The ways out of a container that the engine's API offers, one test each: what the default policy says to
// them, and that the permission named in the refusal opens exactly that.
#include "rules_fixture.hpp"

namespace supervisor::broker {
namespace {

struct Escape {
    const char* name;
    const char* host_config;
    const char* permission;
};
void PrintTo(const Escape& escape, std::ostream* out) {
    *out << escape.name;
}

class EscapeTable : public Rules, public testing::WithParamInterface<Escape> {};

TEST_P(EscapeTable, IsClosedByDefault) {
    const auto verdict = host(GetParam().host_config);
    ASSERT_TRUE(verdict) << to_text(body);
    EXPECT_EQ(verdict->status, 403);
    EXPECT_EQ(verdict->rule, GetParam().permission);
    EXPECT_THAT(verdict->message, HasSubstr("HostConfig"));
}

TEST_P(EscapeTable, IsOpenedByTheNamedPermissionAlone) {
    const auto policy = Policy::parse(R"({"allow":[")" + std::string(GetParam().permission) + "\"]}");
    ASSERT_TRUE(policy);
    EXPECT_FALSE(host(GetParam().host_config, *policy));
}

TEST_P(EscapeTable, IsOpenToTrustedJobs) {
    EXPECT_FALSE(host(GetParam().host_config, Policy::trusted()));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, EscapeTable,
    testing::Values(
        Escape{"Privileged", R"("Privileged":true)", "privileged"},
        Escape{"CapAddSysAdmin", R"("CapAdd":["SYS_ADMIN"])", "capabilities"},
        Escape{"CapAddAnyCase", R"("CapAdd":["cap_sys_module"])", "capabilities"},
        Escape{"CapAddAll", R"("CapAdd":["ALL"])", "capabilities"},
        Escape{"CapAddNetAdmin", R"("CapAdd":["NET_ADMIN"])", "capabilities"},
        Escape{"ExactCapabilities", R"("Capabilities":["CAP_SYS_ADMIN"])", "unknown-fields"},
        Escape{"PidModeHost", R"("PidMode":"host")", "host-pid"},
        Escape{"IpcModeHost", R"("IpcMode":"host")", "host-ipc"},
        Escape{"UtsModeHost", R"("UTSMode":"host")", "host-uts"},
        Escape{"UsernsModeHost", R"("UsernsMode":"host")", "host-userns"},
        Escape{"CgroupnsModeHost", R"("CgroupnsMode":"host")", "host-cgroupns"},
        Escape{
            "Devices",
            R"("Devices":[{"PathOnHost":"/dev/sda","PathInContainer":"/dev/sda","CgroupPermissions":"rwm"}])",
            "devices"},
        Escape{"DeviceCgroupRules", R"("DeviceCgroupRules":["a *:* rwm"])", "devices"},
        Escape{"DeviceRequests", R"("DeviceRequests":[{"Count":-1,"Capabilities":[["gpu"]]}])", "devices"},
        Escape{"BindOfTheHost", R"("Binds":["/etc:/x"])", "host-paths"},
        Escape{"BindOfTheRoot", R"("Binds":["/:/x"])", "host-paths"},
        Escape{"BindThroughDots", R"("Binds":["/godata/../etc:/x"])", "host-paths"},
        Escape{"BindThroughAPlantedLink", R"("Binds":["/godata/planted:/x"])", "host-paths"},
        Escape{"BindOfTheRawSocketThroughALink", R"("Binds":["/godata/socket:/x"])", "host-paths"},
        Escape{"BindOfContainerdsSocket", R"("Binds":["/run/containerd/containerd.sock:/x"])", "host-paths"},
        Escape{"BindOfTheSupervisor", R"("Binds":["/run/gocd-supervisor:/x"])", "host-paths"},
        Escape{"MountOfTheHost", R"("Mounts":[{"Type":"bind","Source":"/etc","Target":"/x"}])", "host-paths"},
        Escape{"MountTypeNpipe", R"("Mounts":[{"Type":"npipe","Source":"x","Target":"/x"}])",
               "unknown-fields"},
        Escape{
            "VolumeMountDriverOptions",
            R"("Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"DriverConfig":{"Name":"local","Options":{"type":"ext4","device":"/dev/sda1"}}}}])",
            "volume-drivers"},
        Escape{"VolumeDriver", R"("VolumeDriver":"rexray")", "volume-drivers"},
        Escape{"SeccompUnconfined", R"("SecurityOpt":["seccomp=unconfined"])", "security-options"},
        Escape{"ApparmorOldSyntax", R"("SecurityOpt":["apparmor:unconfined"])", "security-options"},
        Escape{"LabelDisable", R"("SecurityOpt":["label=disable"])", "security-options"},
        Escape{"WritableCgroups", R"("SecurityOpt":["writable-cgroups=true"])", "security-options"},
        Escape{"UnmaskedPaths", R"("MaskedPaths":[])", "security-options"},
        Escape{"WritableSystemPaths", R"("ReadonlyPaths":[])", "security-options"},
        Escape{"SysctlOfTheKernel", R"("Sysctls":{"kernel.core_pattern":"|/x"})", "sysctls"},
        Escape{"Runtime", R"("Runtime":"runc-unlimited")", "runtimes"},
        Escape{"Annotations", R"("Annotations":{"run.oci.handler":"x"})", "annotations"},
        Escape{"OomKillDisable", R"("OomKillDisable":true)", "oom-control"},
        Escape{"OomScoreLowered", R"("OomScoreAdj":-1000)", "oom-control"},
        Escape{"OomScoreBelowTheAgents", R"("OomScoreAdj":100)", "oom-control"},
        Escape{"UlimitAboveTheAgents", R"("Ulimits":[{"Name":"nofile","Soft":1024,"Hard":4097}])", "ulimits"},
        Escape{"UlimitAboveTheAgentsInCapitals", R"("Ulimits":[{"Name":"NOFILE","Soft":1,"Hard":4097}])",
               "ulimits"},
        Escape{"UlimitWithoutALimit", R"("Ulimits":[{"Name":"memlock","Soft":-1,"Hard":-1}])", "ulimits"},
        Escape{"UlimitThatWrapsAround", R"("Ulimits":[{"Name":"memlock","Soft":1,"Hard":-2}])", "ulimits"},
        Escape{"UlimitsRealtimePriority", R"("Ulimits":[{"Name":"rtprio","Soft":1,"Hard":1}])", "ulimits"},
        Escape{"UlimitsNice", R"("Ulimits":[{"Name":"nice","Soft":40,"Hard":40}])", "ulimits"},
        Escape{"UlimitsSecond",
               R"("Ulimits":[{"Name":"core","Soft":1,"Hard":-1},{"Name":"nofile","Soft":9999,"Hard":1}])",
               "ulimits"},
        Escape{"PortOfTheHostsServices", R"("PortBindings":{"80/tcp":[{"HostPort":"80"}]})", "host-ports"},
        Escape{"PortWithALeadingZero", R"("PortBindings":{"80/tcp":[{"HostPort":"0080"}]})", "host-ports"},
        Escape{"PortRangeThatBeginsBelow", R"("PortBindings":{"80/tcp":[{"HostPort":"1000-2000"}]})",
               "host-ports"},
        Escape{"PortRangeFromNone", R"("PortBindings":{"80/tcp":[{"HostPort":"0-80"}]})", "host-ports"},
        Escape{"PortOfTheSecondBinding",
               R"("PortBindings":{"80/tcp":[{"HostPort":"8080"},{"HostIp":"127.0.0.1","HostPort":"443"}]})",
               "host-ports"},
        Escape{"PortOfSctp", R"("PortBindings":{"7/sctp":[{"HostPort":"7"}]})", "host-ports"},
        Escape{"PortOnAnAddressOfTheHost",
               R"("PortBindings":{"80/tcp":[{"HostIp":"192.168.1.5","HostPort":"8080"}]})", "host-addresses"},
        Escape{"PortOnAnIpv6AddressOfTheHost",
               R"("PortBindings":{"80/tcp":[{"HostIp":"fe80::1","HostPort":""}]})", "host-addresses"},
        Escape{"PortOnAMappedAddress",
               R"("PortBindings":{"80/tcp":[{"HostIp":"::ffff:192.168.1.5","HostPort":""}]})",
               "host-addresses"},
        Escape{"RealtimeCpu", R"("CpuRealtimeRuntime":950000)", "privileged"},
        Escape{"LogDriver", R"("LogConfig":{"Type":"syslog","Config":{"syslog-address":"unix:///x"}})",
               "log-drivers"},
        Escape{"LogOption", R"("LogConfig":{"Type":"json-file","Config":{"syslog-address":"x"}})",
               "log-drivers"},
        Escape{"BindOfCriosSocket", R"("Binds":["/run/crio/crio.sock:/x"])", "host-paths"},
        Escape{"BindOfPodmansSocket", R"("Binds":["/run/podman/podman.sock:/x"])", "host-paths"},
        Escape{"BindOfADevice", R"("Binds":["/dev:/x"])", "host-paths"},
        Escape{"MountTypeCluster", R"("Mounts":[{"Type":"cluster","Source":"x","Target":"/x"}])",
               "unknown-fields"},
        Escape{"MountTypeUnknown", R"("Mounts":[{"Type":"bpf","Source":"x","Target":"/x"}])",
               "unknown-fields"},
        Escape{"MountWithAFieldFromTheFuture",
               R"("Mounts":[{"Type":"bind","Source":"/godata","Target":"/x","HostView":true}])",
               "unknown-fields"},
        Escape{
            "BindOptionFromTheFuture",
            R"("Mounts":[{"Type":"bind","Source":"/godata","Target":"/x","BindOptions":{"Idmap":"0:0:1"}}])",
            "unknown-fields"},
        Escape{"VolumeMountDriver",
               R"("Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"DriverConfig":{"Name":"x"}}}])",
               "volume-drivers"},
        Escape{"TmpfsMountOptions",
               R"("Mounts":[{"Type":"tmpfs","Target":"/x","TmpfsOptions":{"Options":[["dev"]]}}])",
               "unknown-fields"},
        Escape{"SeccompProfile", R"("SecurityOpt":["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"])",
               "security-options"},
        Escape{"ApparmorProfile", R"("SecurityOpt":["apparmor=mine"])", "security-options"},
        Escape{"LabelType", R"("SecurityOpt":["label=type:spc_t"])", "security-options"},
        Escape{"SystempathsUnconfined", R"("SecurityOpt":["systempaths=unconfined"])", "security-options"},
        Escape{"NewPrivileges", R"("SecurityOpt":["no-new-privileges=false"])", "security-options"},
        Escape{"CredentialSpec", R"("SecurityOpt":["credentialspec=file://x"])", "security-options"},
        Escape{"SysctlOfTheFileSystem", R"("Sysctls":{"fs.file-max":"1"})", "sysctls"},
        Escape{"BlockDevices", R"("BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":1}])", "devices"},
        Escape{"StorageOptions", R"("StorageOpt":{"dm.basesize":"1"})", "volume-drivers"},
        Escape{"CgroupOfAnother", R"("Cgroup":"container:x")", "host-cgroupns"},
        Escape{"LogToAmazon", R"("LogConfig":{"Type":"awslogs","Config":{}})", "log-drivers"},
        Escape{"LogToGelf", R"("LogConfig":{"Type":"gelf","Config":{"gelf-address":"udp://x"}})",
               "log-drivers"},
        Escape{"LogToFluentd", R"("LogConfig":{"Type":"fluentd"})", "log-drivers"},
        Escape{"LogToSplunkWithAFileOfTheHost",
               R"("LogConfig":{"Type":"splunk","Config":{"splunk-capath":"/etc"}})", "log-drivers"},
        Escape{"FieldFromTheFuture", R"("MakeItHost":true)", "unknown-fields"}),
    [](const auto& test) { return test.param.name; });

TEST_F(Rules, HostNetworkIsRefused) {
    EXPECT_EQ(host(R"("NetworkMode":"host")")->rule, "host-network");
    EXPECT_FALSE(host(R"("NetworkMode":"host")", *Policy::parse(R"({"allow":["host-network"]})")));
}

TEST_F(Rules, NetworkOfTheAgentIsRefused) {
    EXPECT_EQ(host(R"("NetworkMode":"container:)" + kAgent + "\"")->rule, "agent-network");
}

TEST_F(Rules, NamespacePathsAreNoNetworks) {
    EXPECT_EQ(host(R"("NetworkMode":"ns:/proc/1/ns/net")")->status, 400);
}

TEST_F(Rules, NamespacesOfStrangersDoNotExist) {
    for (const char* member : {R"("NetworkMode":"container:other")", R"("PidMode":"container:other")",
                               R"("IpcMode":"container:other")", R"("VolumesFrom":["other"])",
                               R"("Links":["other:x"])", R"("NetworkMode":"othernet")"}) {
        EXPECT_EQ(host(member)->status, 404) << member;
    }
}

TEST_F(Rules, PidNamespaceOfTheAgentDoesNotExist) {
    EXPECT_EQ(host(R"("PidMode":"container:)" + kAgent + "\"", Policy::trusted())->status, 404);
}

TEST_F(Rules, OwnReferencesBecomeIds) {
    const std::string id(64, 'a');
    ASSERT_FALSE(host(
        R"("NetworkMode":"container:db","PidMode":"container:db","VolumesFrom":["db:ro"],"Links":["db:x","db"])"));
    EXPECT_EQ(host_config()["NetworkMode"], json::value("container:" + id));
    EXPECT_EQ(host_config()["PidMode"], json::value("container:" + id));
    EXPECT_EQ(host_config()["VolumesFrom"], json::value({id + ":ro"}));
    EXPECT_EQ(host_config()["Links"], json::value({names.hidden("db") + ":x", names.hidden("db") + ":db"}));
}

TEST_F(Rules, VolumesFromTheAgentGivesItsMountsButNotTheSocket) {
    ASSERT_FALSE(host(R"("VolumesFrom":[")" + kAgent.substr(0, 12) + "\"]"));
    EXPECT_EQ(host_config()["Binds"], json::value({"/vol/godata:/godata:rw", "/vol/run:/run/gocd:rw"}));
}

TEST_F(Rules, BindsAreTranslatedAndKeepTheirMode) {
    ASSERT_FALSE(
        host(R"("Binds":["/godata/src:/src:ro","/godata/src/../out:/out","data:/d","fresh:/f:nocopy"])"));
    EXPECT_EQ(host_config()["Binds"],
              json::value({"/vol/godata/src:/src:ro", "/vol/godata/out:/out", names.hidden("data") + ":/d",
                           names.hidden("fresh") + ":/f:rw,nocopy"}));
    EXPECT_THAT(volumes, testing::ElementsAre(names.hidden("fresh")));
}

TEST_F(Rules, SourcesOfBindsEndWhereTheyEnd) {
    EXPECT_EQ(host(R"("Binds":["/godata/colon:/x"])")->status, 400);
    EXPECT_FALSE(host(R"("Mounts":[{"Type":"bind","Source":"/godata/colon","Target":"/x"}])"));
}

TEST_F(Rules, DirectoriesOfTheHostAreBoundWhole) {
    const auto policy = Policy::parse(R"({"host_paths":["/srv/cache"]})");
    EXPECT_FALSE(host(R"("Binds":["/srv/cache/:/x"])", *policy));
    EXPECT_EQ(host(R"("Binds":["/srv/cache/planted:/x"])", *policy)->rule, "host-paths");
    EXPECT_EQ(
        host(R"("Mounts":[{"Type":"bind","Source":"/srv/cache/planted","Target":"/x"}])", *policy)->rule,
        "host-paths");
}

TEST_F(Rules, PropagationAndRelabellingAreLeftOut) {
    ASSERT_FALSE(host(
        R"("Binds":["/godata/src:/src:rshared,Z"],"Mounts":[{"Type":"bind","Source":"/godata/a","Target":"/a","BindOptions":{"Propagation":"rshared"}}])"));
    EXPECT_EQ(host_config()["Binds"], json::value({"/vol/godata/src:/src:rw"}));
    EXPECT_THAT(to_text(host_config()), testing::Not(HasSubstr("shared")));
}

TEST_F(Rules, BindOfTheDockerSocketGivesTheBrokersOwn) {
    for (const char* source : {"/var/run/docker.sock", "/run/docker.sock", "/run/gocd/docker.sock"}) {
        ASSERT_FALSE(host(R"("Binds":[")" + std::string(source) + R"(:/var/run/docker.sock"])"));
        EXPECT_EQ(host_config()["Binds"], json::value({"/vol/run/docker.sock:/var/run/docker.sock"}))
            << source;
    }
}

TEST_F(Rules, ALinkInThePlaceOfTheBrokersSocketIsNotBound) {
    config.listen_path = "/run/gocd/replaced.sock";
    EXPECT_EQ(host(R"("Binds":["/var/run/docker.sock:/var/run/docker.sock"])")->rule, "host-paths");
}

TEST_F(Rules, NetworksGetTheirHiddenNameAndTheContainersNameAsAlias) {
    auto rule_scope = scope(policy_);
    rule_scope.container_name = "web";
    body =
        parse_json(
            R"({"Image":"x","HostConfig":{"NetworkMode":"app"},"NetworkingConfig":{"EndpointsConfig":{"app":{"Aliases":["w"]}}}})")
            ->as_object();
    ASSERT_FALSE(rewrite_container(rule_scope, body));
    EXPECT_EQ(host_config()["NetworkMode"], json::value(names.hidden("app")));
    EXPECT_EQ(body["NetworkingConfig"].at("EndpointsConfig").at(names.hidden("app")).at("Aliases"),
              json::value({"w", "web"}));
}

TEST_F(Rules, CgroupParentIsForced) {
    ASSERT_FALSE(host(R"("CgroupParent":"/../elsewhere")"));
    EXPECT_EQ(host_config()["CgroupParent"], json::value("/agents/a"));
    ASSERT_FALSE(create(R"({"Image":"x"})", Policy::isolated()));
    EXPECT_EQ(host_config()["CgroupParent"], json::value("/agents/a"));
}

TEST_F(Rules, RestartPoliciesDoNotOutliveTheAgent) {
    ASSERT_FALSE(host(R"("RestartPolicy":{"Name":"always"})"));
    EXPECT_EQ(host_config()["RestartPolicy"].at("Name"), json::value("on-failure"));
}

TEST_F(Rules, OtherSpellingsOfAFieldAreRefusedEvenWhenTrusted) {
    for (const char* text :
         {R"({"Image":"x","hostconfig":{"Privileged":true}})",
          "{\"Image\":\"x\",\"Ho\xC5\xBFtConfig\":{\"Privileged\":true}}",
          R"({"Image":"x","HostConfig":{"privileged":true}})",
          R"({"Image":"x","HostConfig":{"Mounts":[{"type":"bind","source":"/etc","target":"/x"}]}})",
          R"({"Image":"x","HostConfig":{"LogConfig":{"type":"syslog"}}})"}) {
        EXPECT_EQ(create(text, Policy::isolated())->rule, "field-spelling") << text;
        EXPECT_EQ(create(text, Policy::trusted())->rule, "field-spelling") << text;
    }
}

TEST_F(Rules, EmptyFieldsOfNewerClientsAreDropped) {
    ASSERT_FALSE(create(
        R"({"Image":"x","Future":"","HostConfig":{"Cgroup":"","Isolation":"","Later":[],"Nested":{"a":null}}})",
        Policy::isolated()));
    EXPECT_FALSE(body.contains("Future"));
    EXPECT_FALSE(host_config().contains("Later"));
}

TEST_F(Rules, OwnershipLabelsCannotBeForged) {
    ASSERT_FALSE(
        create(R"({"Image":"x","Labels":{"org.gocd.agent.id":"other","mine":"1"}})", Policy::trusted()));
    EXPECT_EQ(body["Labels"].at("org.gocd.agent.id"), json::value("agent"));
    EXPECT_EQ(body["Labels"].at("org.gocd.agent.owner"), json::value("1 " + kAgent + " p/1/s/1/j"));
    EXPECT_EQ(body["Labels"].at("mine"), json::value("1"));
}

TEST_F(Rules, HarmlessRequestsPass) {
    EXPECT_FALSE(host(
        R"("CapAdd":["SYS_PTRACE"],"CapDrop":["ALL"],"SecurityOpt":["no-new-privileges"],"Sysctls":{"net.core.somaxconn":"10"},"LogConfig":{"Type":"json-file","Config":{"max-size":"1m"}},"ExtraHosts":["host.docker.internal:host-gateway"],"Tmpfs":{"/t":"size=1m,mode=1777"},"Mounts":[{"Type":"tmpfs","Target":"/y"}],"PortBindings":{"80/tcp":[{"HostPort":""}]},"StorageOpt":{"size":"1G"})"));
}

TEST_F(Rules, TmpfsOptionsAreListed) {
    EXPECT_EQ(host(R"("Tmpfs":{"/t":"suid"})")->rule, "tmpfs-options");
}

// Docker 29 and later (API 1.52 to 1.56), and what may come: refused by name when it is set, wherever it
// stands.
TEST_F(Rules, FieldsOfNewerEnginesAreRefusedByNameEverywhere) {
    const std::pair<const char*, const char*> rows[] = {
        {R"({"Image":"x","Identity":{"Key":"k"}})", "Identity"},
        {R"({"Image":"x","HostConfig":{"WritableCgroups":true}})", "HostConfig.WritableCgroups"},
        {R"({"Image":"x","HostConfig":{"LogConfig":{"Type":"json-file","Mode":"x"}}})",
         "HostConfig.LogConfig.Mode"},
        {R"({"Image":"x","HostConfig":{"Devices":[{"PathOnHost":"/dev/kvm","Cdi":"x"}]}})",
         "HostConfig.Devices"},
        {R"({"Image":"x","NetworkingConfig":{"EndpointsConfig":{"app":{"Sysctls":{"a":"b"}}}}})",
         "NetworkingConfig.EndpointsConfig.app.Sysctls"},
        {R"({"Image":"x","NetworkingConfig":{"Peers":["x"]}})", "NetworkingConfig.Peers"}};
    for (const auto& [text, field] : rows) {
        const auto verdict = create(text, Policy::isolated());
        ASSERT_TRUE(verdict) << text;
        EXPECT_EQ(verdict->status, 403) << text;
        EXPECT_THAT(verdict->message, HasSubstr(field)) << text;
    }
    auto rule_scope = scope(policy_);
    const auto refused = [&](auto rewrite, const char* text) {
        body = parse_json(text)->as_object();
        const auto verdict = rewrite(rule_scope, body);
        return verdict ? verdict->rule : "";
    };
    const auto update = [](RuleScope& with, json::object& from) {
        return rewrite_update(with, from, nullptr);
    };
    EXPECT_EQ(refused(rewrite_network, R"({"Name":"n","Later":"x"})"), "unknown-fields");
    EXPECT_EQ(refused(rewrite_network, R"({"Name":"n","IPAM":{"Later":"x"}})"), "unknown-fields");
    EXPECT_EQ(refused(rewrite_volume, R"({"Name":"v","ClusterVolumeSpec":{"Group":"x"}})"), "volume-drivers");
    EXPECT_EQ(refused(rewrite_exec, R"({"Cmd":["sh"],"Later":true})"), "unknown-fields");
    EXPECT_EQ(refused(update, R"({"Later":1})"), "unknown-fields");
    EXPECT_EQ(refused(rewrite_commit, R"({"Later":1})"), "unknown-fields");
}

TEST_F(Rules, PolicyFileNamesSingleDevices) {
    const auto policy = Policy::parse(R"({"devices":["/dev/kvm"]})");
    EXPECT_FALSE(host(R"("Devices":[{"PathOnHost":"/dev/kvm"}])", *policy));
    for (const char* device : {"/dev/kvm/../sda", "/dev/sda", "/dev", ""})
        EXPECT_EQ(host(R"("Devices":[{"PathOnHost":")" + std::string(device) + "\"}]", *policy)->rule,
                  "devices")
            << device;
}

TEST_F(Rules, SubpathsStayBelowTheirVolume) {
    for (const char* subpath : {"../x", "a/../../x", "/etc", "a//b"}) {
        EXPECT_EQ(
            host(R"("Mounts":[{"Type":"volume","Source":"data","Target":"/x","VolumeOptions":{"Subpath":")" +
                 std::string(subpath) + "\"}}]")
                ->status,
            400)
            << subpath;
    }
}

TEST_F(Rules, NamedVolumesAreThoseOfTheAgentWhateverTheyAreCalled) {
    ASSERT_FALSE(
        host(R"("Mounts":[{"Type":"volume","Source":"theirs","Target":"/x"}],"Binds":["theirs:/y"])"));
    EXPECT_EQ(host_config()["Mounts"].at(0).at("Source"), json::value(names.hidden("theirs")));
    EXPECT_EQ(host_config()["Binds"], json::value({names.hidden("theirs") + ":/y"}));
    auto rule_scope = scope(policy_);
    body = parse_json(R"({"Name":"theirs"})")->as_object();
    ASSERT_FALSE(rewrite_volume(rule_scope, body));
    EXPECT_EQ(body["Name"], json::value(names.hidden("theirs")));
}

TEST_F(Rules, ExtraHostsAreSingleLines) {
    EXPECT_EQ(host(R"("ExtraHosts":["a:1.2.3.4\n5.6.7.8 registry"])")->status, 400);
    EXPECT_EQ(host(R"("ExtraHosts":["a"])")->status, 400);
}

TEST_F(Rules, EndpointsReachOwnNetworksWithoutDriverOptions) {
    const auto endpoint = [this](const std::string& endpoints) {
        return create(R"({"Image":"x","NetworkingConfig":{"EndpointsConfig":)" + endpoints + "}}",
                      Policy::isolated());
    };
    EXPECT_EQ(endpoint(R"({"app":{"DriverOpts":{"com.docker.network.endpoint.sysctls":"x"}}})")->rule,
              "network-drivers");
    EXPECT_EQ(endpoint(R"({"host":{}})")->rule, "host-network");
    EXPECT_EQ(endpoint(R"({"theirs":{}})")->status, 404);
    EXPECT_EQ(endpoint(R"({"app":{"NetworkID":"theirs"}})")->status, 404);
    EXPECT_EQ(endpoint(R"({"app":{"Links":["theirs:x"]}})")->status, 404);
    EXPECT_EQ(endpoint(R"({"app":{},")" + std::string(64, 'c') + R"(":{}})")->status, 400);
}

TEST_F(Rules, UpdateCannotLeaveTheCgroupParent) {
    auto rule_scope = scope(policy_);
    body = parse_json(R"({"Memory":1,"CgroupParent":"/"})")->as_object();
    ASSERT_FALSE(rewrite_update(rule_scope, body, nullptr));
    EXPECT_FALSE(body.contains("CgroupParent"));
}

// Rows of the table that need no rule: they end at the container's edge, or at its cgroup's.
TEST_F(Rules, WhatStaysInsideTheContainerPasses) {
    const std::string text =
        R"("GroupAdd":["docker"],"Ulimits":[{"Name":"nofile","Soft":1,"Hard":2}],"MemorySwappiness":1,)"
        R"("ContainerIDFile":"/x","Isolation":"default","ShmSize":5,"Init":true,"ReadonlyRootfs":true,)"
        R"("Dns":["1.1.1.1"],"DnsSearch":["x"],"PublishAllPorts":true,)"
        R"("PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]})";
    ASSERT_FALSE(host(text));
    EXPECT_THAT(to_text(host_config()), HasSubstr(text));
}

TEST_F(Rules, PrivilegedExecIsRefused) {
    auto rule_scope = scope(policy_);
    body = parse_json(R"({"Cmd":["sh"],"Privileged":true})")->as_object();
    EXPECT_EQ(rewrite_exec(rule_scope, body)->rule, "privileged");
}

TEST_F(Rules, UpdateCannotAddDevices) {
    auto rule_scope = scope(policy_);
    body = parse_json(R"({"Memory":1,"Devices":[{"PathOnHost":"/dev/sda"}]})")->as_object();
    EXPECT_EQ(rewrite_update(rule_scope, body, nullptr)->rule, "devices");
}

// ---- volumes ----

TEST_F(Rules, VolumesThatMountAreRefusedUnlessItIsATranslatedBind) {
    for (const char* options :
         {R"({"type":"ext4","device":"/dev/sda1"})",
          R"({"type":"overlay","o":"lowerdir=/,upperdir=/a,workdir=/b","device":"overlay"})",
          R"({"type":"nfs","o":"addr=1.2.3.4","device":":/x"})", R"({"type":"proc","device":"proc"})"}) {
        auto rule_scope = scope(policy_);
        body = parse_json(R"({"Name":"v","Driver":"local","DriverOpts":)" + std::string(options) + "}")
                   ->as_object();
        const auto verdict = rewrite_volume(rule_scope, body);
        ASSERT_TRUE(verdict) << options;
        EXPECT_EQ(verdict->rule, "volume-drivers") << options;
    }
    auto rule_scope = scope(policy_);
    body = parse_json(R"({"Name":"v","DriverOpts":{"type":"none","o":"bind","device":"/godata/x"}})")
               ->as_object();
    ASSERT_FALSE(rewrite_volume(rule_scope, body));
    EXPECT_EQ(body["DriverOpts"].at("device"), json::value("/vol/godata/x"));
    body = parse_json(R"({"Name":"v","DriverOpts":{"type":"none","o":"bind","device":"/etc"}})")->as_object();
    EXPECT_EQ(rewrite_volume(rule_scope, body)->rule, "host-paths");
    body = parse_json(R"({"Name":"v","DriverOpts":{"type":"tmpfs","device":"tmpfs","o":"size=10m"}})")
               ->as_object();
    EXPECT_FALSE(rewrite_volume(rule_scope, body));
}

}  // namespace
}  // namespace supervisor::broker
