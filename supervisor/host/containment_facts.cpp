#include "host/containment_facts.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

#include "base/scope_exit.hpp"
#include "base/strings.hpp"
#include "host/device_directory.hpp"
#include "host/facts.hpp"
#include "host/id_mapped_mount.hpp"
#include "host/keep_times.hpp"
#include "host/namespaces.hpp"
#include "sys/capabilities.hpp"
#include "sys/files.hpp"
#include "sys/procfs.hpp"

namespace supervisor::host {
namespace {

// Any ids will do for a trial that leaves nothing behind.
constexpr IdRange kTrialIds{100000, 65536};

std::string existing_parent(std::string path) {
    while (!sys::is_directory(path) && path.size() > 1) {
        path.erase(path.rfind('/'));
        if (path.empty()) path = "/";
    }
    return path;
}

// Directories for an overlay mount in the data directory, gone when this is.
class Scratch {
  public:
    explicit Scratch(const std::string& parent)
        : times_(parent), path_(parent + "/.containment-probe-XXXXXX") {
        if (::mkdtemp(path_.data()) == nullptr) {
            error_ = errno;
            path_.clear();
            return;
        }
        for (const char* name : {"/lower", "/upper", "/work", "/merged"}) {
            if (::mkdir((path_ + name).c_str(), 0755) != 0) error_ = errno;
        }
        const UniqueFd file(::open((path_ + "/lower/file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        if (!file) error_ = errno;
    }
    ~Scratch() {
        if (!path_.empty()) (void)sys::remove_tree(path_);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    int error() const { return error_; }
    // volatile: unmounting then does not wait for the disk.
    std::string overlay_options() const {
        return "lowerdir=" + path_ + "/lower,upperdir=" + path_ + "/upper,workdir=" + path_ +
               "/work,userxattr,volatile";
    }
    std::string merged() const { return path_ + "/merged"; }

  private:
    KeepTimes times_;  // restored after the directory is gone
    std::string path_;
    int error_ = 0;
};

struct Step {
    ContainmentNeed need;
    SetupStep step;
};

SetupStep mount(const char* source, const std::string& target, const char* type, unsigned long flags = 0,
                const std::string& data = {}) {
    return {SetupStep::Kind::Mount, target, source, type, data, flags};
}

std::vector<Step> trial_steps(const ContainmentProbe& request, const std::string& data,
                              const Scratch& scratch) {
    std::vector<Step> steps;
    SetupStep attach{SetupStep::Kind::Attach, data};
    steps.push_back({ContainmentNeed::Namespaces, mount("", "/", "", MS_REC | MS_SLAVE)});
    steps.push_back({ContainmentNeed::IdMappedData, attach});
    steps.push_back({ContainmentNeed::Proc, mount("proc", "/proc", "proc")});
    steps.push_back({ContainmentNeed::Sysfs, mount("sysfs", "/sys", "sysfs")});
    if (request.cgroup_v2)
        steps.push_back({ContainmentNeed::Cgroups, mount("cgroup2", "/sys/fs/cgroup", "cgroup2")});
    steps.push_back({ContainmentNeed::Overlay,
                     mount("overlay", scratch.merged(), "overlay", 0, scratch.overlay_options())});
    steps.push_back({ContainmentNeed::Overlay, {SetupStep::Kind::Remove, scratch.merged() + "/file"}});
    return steps;
}

void miss(ContainmentFacts& facts, ContainmentNeed need, int error) {
    facts.missing = need;
    facts.error = error;
}

// Everything that happens outside the holder, before its steps. The mount, when all of that worked.
std::optional<UniqueFd> prepare(const std::string& data, int user_namespace, ContainmentFacts& facts) {
    auto mapped = id_mapped_copy(data, user_namespace);
    if (!mapped) {
        miss(facts, ContainmentNeed::IdMappedData, mapped.error().code());
        return std::nullopt;
    }
    if (auto devices = make_device_directory(standard_devices(), kTrialIds.first); !devices) {
        miss(facts, ContainmentNeed::Devices, devices.error().code());
        return std::nullopt;
    }
    for (auto& directory : facts.directories) {
        const auto copy = id_mapped_copy(existing_parent(directory.path), user_namespace);
        directory.error = copy ? 0 : copy.error().code();
    }
    return std::move(*mapped);
}

void attempt(const ContainmentProbe& request, Milliseconds patience, ContainmentFacts& facts) {
    const std::string data = existing_parent(request.data_directory);
    const Scratch scratch(data);
    if (scratch.error() != 0) return miss(facts, ContainmentNeed::IdMappedData, scratch.error());
    const auto planned = trial_steps(request, data, scratch);
    std::vector<SetupStep> steps;
    for (const auto& entry : planned) steps.push_back(entry.step);
    auto holder = NamespaceHolder::start(kTrialIds, {}, std::move(steps));
    if (!holder) return miss(facts, ContainmentNeed::Namespaces, holder.error().code());
    auto data_mount = prepare(data, holder->descriptor(CLONE_NEWUSER), facts);
    if (!data_mount) return;
    auto done = holder->proceed({data_mount->get()});
    if (done) done = holder->finish(patience);
    // Its end takes the kernel longer than its life did. Nobody needs to wait for that: it is reaped as any
    // other child.
    holder->kill();
    holder->release();
    if (done) return;
    const int step = holder->failed_step();
    miss(facts, step < 0 ? ContainmentNeed::Namespaces : planned[static_cast<std::size_t>(step)].need,
         done.error().code());
}

}  // namespace

std::vector<IdMapEntry> parse_id_map(std::string_view text) {
    std::vector<IdMapEntry> entries;
    for (const auto& line : split_lines(text)) {
        const auto words = split_words(line);
        if (words.size() != 3) continue;
        const auto inside = parse_unsigned(words[0], UINT32_MAX);
        const auto outside = parse_unsigned(words[1], UINT32_MAX);
        const auto count = parse_unsigned(words[2], UINT32_MAX);
        if (!inside || !outside || !count) continue;
        entries.push_back({static_cast<std::uint32_t>(*inside), static_cast<std::uint32_t>(*outside),
                           static_cast<std::uint32_t>(*count)});
    }
    return entries;
}

ContainmentFacts probe_containment(const ContainmentProbe& request, Milliseconds patience) {
    ContainmentFacts facts;
    facts.tried = true;
    facts.users = parse_id_map(sys::read_file_or("/proc/self/uid_map"));
    facts.groups = parse_id_map(sys::read_file_or("/proc/self/gid_map"));
    facts.max_user_namespaces =
        parse_unsigned(trim(sys::read_file_or("/proc/sys/user/max_user_namespaces"))).value_or(0);
    const auto status = sys::parse_process_status(sys::read_file_or("/proc/self/status"));
    facts.can_cut_capabilities = sys::has_capability(status.effective, sys::kCapSetpcap);
    const auto mounts = sys::parse_mountinfo(sys::read_file_or("/proc/self/mountinfo"));
    if (const auto* mount = sys::mount_holding(mounts, existing_parent(request.data_directory)))
        facts.data_file_system = mount->type;
    for (const auto& path : request.directories) facts.directories.push_back({path, 0});
    attempt(request, patience, facts);
    return facts;
}

}  // namespace supervisor::host
