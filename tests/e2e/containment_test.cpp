// What containment must not change, beside an image without it; and what is left of the image in the weaker
// modes.
#include <gmock/gmock.h>

#include <sstream>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using test_support::CommandResult;
using test_support::trimmed;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// An image in one mode, its agent replaced by a long sleep.
class ModeContainer {
  public:
    explicit ModeContainer(const std::string& mode, const Arguments& options = {})
        : container_(dind(options, {"--containment=" + mode, "--", "sleep", "600"})) {
        if (!container_.start_failure().empty()) {
            problem_ = container_.start_failure();
        } else if (!becomes_healthy(container_) || !load_inner_image(container_)) {
            problem_ = container_.logs();
        }
    }

    [[nodiscard]] const std::string& problem() const { return problem_; }
    [[nodiscard]] const Container& container() const { return container_; }
    [[nodiscard]] CommandResult job(const std::string& line) const {
        return container_.exec_as("go", {"sh", "-c", "cd /go-working-dir && " + line}, seconds(120));
    }

  private:
    Container container_;
    std::string problem_;
};

class WeakerMode : public EndToEnd, public ::testing::WithParamInterface<const char*> {};

// The core of what a job does; the default mode has a test for each.
TEST_P(WeakerMode, DoesWhatJobsNeed) {
    ModeContainer agent(GetParam());
    ASSERT_EQ(agent.problem(), "");
    EXPECT_THAT(agent.container().logs(), HasSubstr(std::string("containment ") + GetParam()));
    EXPECT_EQ(agent.job("docker run --rm inner-busybox:test sh -c 'exit 42'").status, 42);
    const auto built = agent.job(
        "mkdir -p b && printf 'FROM inner-busybox:test\\nCOPY w /w\\nRUN mkdir /d && touch /d/a\\nRUN rm -r "
        "/d && mkdir /d\\n' "
        ">b/Dockerfile && echo word >b/w && docker build -q -t built b && docker run --rm built sh -c 'cat "
        "/w; ls /d'");
    EXPECT_THAT(built.out, ::testing::EndsWith("word\n")) << built.text();
    const auto bind = agent.job(
        "docker run --rm -v \"$PWD:/s\" inner-busybox:test sh -c 'cat /s/b/w; echo out >/s/o' && cat o && "
        "stat -c %u:%g o");
    EXPECT_EQ(bind.out, "word\nout\n0:0\n") << bind.text();
    const auto web = agent.job(
        "docker run -d --name web -p 8080:80 inner-busybox:test sh -c 'mkdir /w; echo page >/w/index.html; "
        "exec httpd -f -p 80 -h /w' "
        ">/dev/null && curl -sS --retry 20 --retry-delay 1 --retry-all-errors "
        "http://localhost:8080/index.html");
    EXPECT_EQ(web.out, "page\n") << web.text();
    const auto limit = agent.job(
        "docker run --rm -m 64m inner-busybox:test sh -c 'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat "
        "/sys/fs/cgroup/memory/memory.limit_in_bytes'");
    EXPECT_EQ(limit.out, "67108864\n") << limit.text();
    const auto privileged = agent.job(
        "docker run --rm --privileged inner-busybox:test sh -c 'mount -t tmpfs none /tmp && echo mounted'");
    EXPECT_EQ(privileged.out, "mounted\n") << privileged.text();
    const auto killed = agent.container().exec(
        {"sh", "-c",
         "pkill -9 -x dockerd; docker version >/dev/null && docker inspect -f '{{.State.Running}}' web"});
    EXPECT_EQ(killed.out, "true\n") << killed.text();
    EXPECT_EQ(agent.container().stop(20).status, 0);
    EXPECT_EQ(agent.container().exit_status(seconds(5)), 0) << agent.container().logs();
}

INSTANTIATE_TEST_SUITE_P(Containment, WeakerMode, ::testing::Values("caps", "off"),
                         [](const auto& test) { return std::string(test.param); });

// Who made it × what and its mode × who uses it → what he could do, and whose it is then. The same program
// for a job and for containers; `make` and `use` print nothing on success but the table's lines.
constexpr const char* kBindProgram = R"sh(
make() { # WHO
    for mode in 0644 0600 0755 0700 4755; do
        echo text >$1.file.$mode; chmod $mode $1.file.$mode
    done
    for mode in 0755 0700 2775 1777; do
        mkdir $1.dir.$mode; echo text >$1.dir.$mode/inside; chmod $mode $1.dir.$mode
    done
    ln -s $1.file.0644 $1.link
}
can() { if "$@" >/dev/null 2>&1; then printf y; else printf n; fi; }
append() { echo more >>"$1"; }
use() { # WHO
    for name in *.file.* *.dir.*; do
        printf '%s by %s: ' $name $1
        case $name in
        *.file.*) can cat $name; can append $name; can chmod 0640 $name; can chown 33:33 $name ;;
        *) can ls $name; can append $name/new; can chmod 0750 $name; can rm $name/inside ;;
        esac
        printf ' %s ' "$(stat -c %u:%g:%a $name)"
        can rm -r $name
        echo
    done
}
cd "$2" && "$1" "$3"
)sh";

std::string bind_table(const ModeContainer& agent, const std::string& parent_mode) {
    const std::string prepare =
        "mkdir -p t && cat >t/program <<'END'\n" + std::string(kBindProgram) +
        "END\ndocker run -d --rm --name bound -v \"$PWD/t:/t\" inner-busybox:test sleep 600";
    if (const auto made = agent.job(prepare); !made.ok()) return made.text();
    const auto as = [](const std::string& user, const std::string& verb, const std::string& who) {
        if (user == "job") return "sh t/program " + verb + " t/d " + who + "\n";
        return "docker exec -u " + user + " bound sh /t/program " + verb + " /t/d " + who + "\n";
    };
    std::string script = "umask 022\n";
    const std::vector<std::string> who = {"job", "0", "1000", "33", "33:0"};
    for (const auto& user : who) {
        script += "docker exec bound rm -rf /t/d; mkdir t/d && chmod " + parent_mode + " t/d\n";
        for (const auto& maker : who) script += as(maker, "make", maker);
        script += as(user, "use", user);
    }
    script += "docker exec bound rm -rf /t/d; docker rm -f bound >/dev/null\n";
    return agent.job(script).out;
}

class Contained : public EndToEnd {};

// The image inside of its own engine; its files are bound, because loading the image would take a minute.
TEST_F(Contained, TheSupervisorWorksInsideOfItsOwnEngine) {
    ModeContainer agent("userns");
    ASSERT_EQ(agent.problem(), "");
    std::string binds;
    for (const char* bind : {"/usr:/usr", "/usr/bin:/bin", "/usr/sbin:/sbin", "/usr/lib:/lib",
                             "/usr/lib64:/lib64", "/etc/passwd:/etc/passwd", "/etc/group:/etc/group"}) {
        binds += std::string(" -v ") + bind + ":ro";
    }
    const auto inner = agent.job("docker run --rm --privileged -v /var/lib/docker" + binds +
                                 " inner-busybox:test sh -c 'mkdir -p /run && ln -sfn /run /var/run && exec "
                                 "gocd-supervisor -- docker version --format \"inner {{.Server.Os}}\"'");
    EXPECT_TRUE(inner.ok()) << inner.text();
    EXPECT_THAT(inner.out, HasSubstr("inner linux")) << inner.text();
    EXPECT_THAT(inner.text(), HasSubstr("containment off: the container is in a user namespace itself"));
}

TEST_F(Contained, BindMountsBehaveAsWithoutContainment) {
    const ModeContainer contained("userns");
    ASSERT_EQ(contained.problem(), "");
    const ModeContainer plain("off");
    ASSERT_EQ(plain.problem(), "");
    for (const char* parent : {"0777", "1777"}) {
        const auto expected = bind_table(plain, parent);
        EXPECT_THAT(expected, HasSubstr("job.file.0600 by 0: yyyy 33:33:640 y\n"));
        EXPECT_THAT(expected, HasSubstr("0.file.0600 by 1000: nnnn 0:0:600"));
        EXPECT_EQ(bind_table(contained, parent), expected) << parent;
    }
}

// The probe of tests/contain in the real image: the outer root's files, processes, sockets and namespaces.
class Escape : public EndToEnd {
  protected:
    static constexpr const char* kMarker = "31415926";

    static std::vector<std::string> open_ones(const ModeContainer& agent, const std::string& options) {
        const auto address =
            trimmed(agent.container().inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"));
        const auto tried = agent.job("docker run --rm -v /opt/escape_probe:/escape_probe:ro " + options +
                                     " inner-busybox:test /escape_probe " + address +
                                     " /outer-secret /outer.sock " + kMarker);
        std::vector<std::string> open;
        std::size_t rows = 0;
        std::istringstream lines(tried.out);
        for (std::string line; std::getline(lines, line);) {
            const auto tab = line.find('\t');
            if (tab == std::string::npos) continue;
            ++rows;
            if (line.substr(tab + 1) == "open") open.push_back(line.substr(0, tab));
        }
        EXPECT_GT(rows, 30U) << tried.text();
        return open;
    }
    static Arguments outer_things() {
        return {"-v", std::string(ESCAPE_PROBE) + ":/opt/escape_probe:ro",
                "-v", engine_socket() + ":/outer.sock",
                "-e", "CONTAIN_SECRET=1",
                "-e", "GOCD_DOCKER_MODE=dind"};
    }
    static void prepare(const ModeContainer& agent) {
        const auto made =
            agent.container().exec({"sh", "-c",
                                    std::string("umask 077; echo secret >/outer-secret; CONTAIN_SECRET=1 "
                                                "setsid sleep ") +
                                        kMarker + " >/dev/null 2>&1 </dev/null &"});
        ASSERT_TRUE(made.ok()) << made.text();
    }
    static inline const std::string kEverything =
        "--privileged --pid=host --network=host --ipc=host --uts=host -v /:/host";
};

TEST_F(Escape, NothingIsOpenInAUserNamespaceWhateverTheFlag) {
    const ModeContainer agent("userns", outer_things());
    ASSERT_EQ(agent.problem(), "");
    prepare(agent);
    const std::vector<std::string> ways = {"",
                                           kEverything,
                                           "--privileged",
                                           "--cap-add=ALL",
                                           "--pid=host",
                                           "--network=host",
                                           "--ipc=host",
                                           "--uts=host",
                                           "--security-opt seccomp=unconfined",
                                           "-v /:/host",
                                           "-v /proc:/host/proc -v /sys:/host/sys",
                                           "-v /var/run/docker.sock:/var/run/docker.sock"};
    for (const auto& way : ways) EXPECT_THAT(open_ones(agent, way), IsEmpty()) << way;
}

// Otherwise the test above could pass because its attempts are wrong.
TEST_F(Escape, WithoutContainmentMostIsOpen) {
    const ModeContainer agent("off", outer_things());
    ASSERT_EQ(agent.problem(), "");
    prepare(agent);
    const auto open = open_ones(agent, kEverything);
    for (const char* name :
         {"write kernel.core_pattern", "make a disk's node", "list BPF programs", "signal an outer process",
          "environment of an outer process", "environment of PID 1", "enter outer namespaces",
          "use the outer network's address", "connect to an outer socket", "read a file of the outer root",
          "write a file of the outer root"}) {
        EXPECT_THAT(open, ::testing::Contains(name));
    }
}

}  // namespace
}  // namespace e2e
