#include "ns/box_root.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace ns_test {
namespace {

// Only a mount point: what is mounted there is seen by this mount namespace alone.
const std::string kBase = "/mnt";

void require(bool done, const std::string& what) {
    if (!done) setup_failed(what);
}

void make_directory(const std::string& path, mode_t mode = 0755) {
    require(::mkdir(path.c_str(), mode) == 0 || errno == EEXIST, "mkdir " + path);
    require(::chmod(path.c_str(), mode) == 0, "chmod " + path);
}

void write_file(const std::string& path, const std::string& text, mode_t mode = 0644) {
    std::ofstream(path) << text;
    require(::chmod(path.c_str(), mode) == 0, "write " + path);
}

void mount_at(const char* source, const std::string& target, const char* type, unsigned long flags,
              const std::string& data = {}) {
    require(::mount(source, target.c_str(), type, flags, data.c_str()) == 0, "mount " + target);
}

void bind_file(const std::string& source, const std::string& target) {
    write_file(target, "");
    mount_at(source.c_str(), target, nullptr, MS_BIND);
}

// /bin and the like are links into /usr on a merged system, directories elsewhere.
void take_over(const std::string& name) {
    struct stat status {};
    const std::string path = "/" + name;
    if (::lstat(path.c_str(), &status) != 0) return;
    if (S_ISLNK(status.st_mode)) {
        char target[256];
        const auto length = ::readlink(path.c_str(), target, sizeof target - 1);
        require(length > 0, "readlink " + path);
        target[length] = '\0';
        require(::symlink(target, (kBase + path).c_str()) == 0, "link " + path);
        return;
    }
    make_directory(kBase + path);
    mount_at(path.c_str(), kBase + path, nullptr, MS_BIND | MS_REC);
}

void make_accounts() {
    make_directory(kBase + "/etc");
    write_file(kBase + "/etc/passwd",
               "root:x:0:0:root:/root:/bin/bash\ngo:x:1000:0:go:/home/go:/bin/bash\n"
               "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
    write_file(kBase + "/etc/group", "root:x:0:\ndocker:x:998:go\n");
    bind_file("/etc/ld.so.cache", kBase + "/etc/ld.so.cache");
    make_directory(kBase + "/home");
    make_directory(kBase + "/home/go");
    require(::chown((kBase + "/home/go").c_str(), 1000, 0) == 0, "chown /home/go");
}

void make_agent(const std::string& script) {
    for (const char* directory : {"/go-agent", "/go-agent/bin", "/go-agent/lib", "/go-agent/wrapper-config",
                                  "/go-working-dir", "/godata"}) {
        make_directory(kBase + directory, 0775);
        require(::chown((kBase + directory).c_str(), 1000, 0) == 0, "chown");
    }
    write_file(kBase + kAgent, script, 0755);
}

}  // namespace

void setup_failed(const std::string& what) {
    std::fprintf(stderr, "box: %s: %s\n", what.c_str(), std::strerror(errno));
    ::_exit(199);
}

void enter_root(const RootOptions& options, const std::string& agent_script) {
    mount_at("none", "/", nullptr, MS_REC | MS_PRIVATE);
    mount_at("box", kBase, "tmpfs", 0, "mode=755");
    for (const char* name : {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"}) take_over(name);
    for (const char* name : {"/dev", "/proc", "/run", "/var", "/opt", "/old"}) make_directory(kBase + name);
    make_directory(kBase + "/tmp", 01777);
    mount_at("/dev", kBase + "/dev", nullptr, MS_BIND | MS_REC);
    mount_at("proc", kBase + "/proc", "proc", 0);
    mount_at("run", kBase + "/run", "tmpfs", 0,
             options.run_bytes == 0 ? "mode=755" : "mode=755,size=" + std::to_string(options.run_bytes));
    require(::symlink("/run", (kBase + "/var/run").c_str()) == 0, "link /var/run");
    bind_file(SUPERVISOR, kBase + kSupervisor);
    bind_file(PROBE, kBase + kProbe);
    bind_file(FAILING_MALLOC, kBase + kFailingMalloc);
    make_accounts();
    make_agent(agent_script);
    require(::syscall(SYS_pivot_root, kBase.c_str(), (kBase + "/old").c_str()) == 0, "pivot_root");
    require(::chdir("/") == 0, "chdir /");
    require(::umount2("/old", MNT_DETACH) == 0, "unmount the old root");
    require(::rmdir("/old") == 0, "rmdir /old");
}

}  // namespace ns_test
