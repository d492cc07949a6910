// What tests run under the supervisor where a shell would be too slow or too polite.
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

// N processes that lose their parent while they live: each ends a moment after its parent did.
int orphans(int count) {
    for (int i = 0; i < count; ++i) {
        const pid_t parent = fork();
        if (parent < 0) return 1;
        if (parent == 0) {
            if (fork() == 0) usleep(1'000);
            _exit(0);
        }
        waitpid(parent, nullptr, 0);
    }
    std::puts("orphans made");
    std::fflush(stdout);
    for (;;) pause();
}

// Whether a child of PID 1 with one of these pids is left: /proc shows zombies too.
bool any_left(const pid_t* pids, int count) {
    for (int i = count - 1; i >= 0; --i) {
        if (kill(pids[i], 0) == 0 || errno != ESRCH) return true;
    }
    return false;
}

// N orphans that wait for one word and then end all at once; says how long it took until the last was reaped.
int reap(int count) {
    int gate[2];
    int news[2];
    if (pipe(gate) != 0 || pipe(news) != 0) return 1;
    auto* pids = static_cast<pid_t*>(std::calloc(static_cast<size_t>(count), sizeof(pid_t)));
    for (int i = 0; i < count; ++i) {
        const pid_t parent = fork();
        if (parent < 0) return 1;
        if (parent == 0) {
            close(gate[1]);
            const pid_t child = fork();
            if (child > 0) _exit(write(news[1], &child, sizeof child) == sizeof child ? 0 : 1);
            char nothing = 0;
            _exit(static_cast<int>(read(gate[0], &nothing, 1)));
        }
        waitpid(parent, nullptr, 0);
        if (read(news[0], &pids[i], sizeof(pid_t)) != sizeof(pid_t)) return 1;
    }
    timespec before{};
    timespec after{};
    clock_gettime(CLOCK_MONOTONIC, &before);
    close(gate[1]);
    while (any_left(pids, count)) usleep(500);
    clock_gettime(CLOCK_MONOTONIC, &after);
    std::printf("reaped in %ld microseconds\n",
                (after.tv_sec - before.tv_sec) * 1'000'000 + (after.tv_nsec - before.tv_nsec) / 1'000);
    std::free(pids);
    return 0;
}

// A daemon as the books have it, deaf to everything that can be ignored; the program itself ends at once.
int leave_daemon() {
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            for (int number = 1; number < 32; ++number) signal(number, SIG_IGN);
            if (fork() == 0) setsid();
            for (;;) pause();
        }
        _exit(0);
    }
    wait(nullptr);
    return 0;
}

// Numbered lines as fast as they go.
int lines(int count) {
    for (int i = 0; i < count; ++i) std::printf("line %d of a log that somebody wants to read\n", i);
    std::fflush(stdout);
    return 0;
}

volatile sig_atomic_t terms = 0;
void count_term(int) {
    const char text[] = "got TERM\n";
    (void)!write(STDOUT_FILENO, text, sizeof text - 1);
    terms = terms + 1;
}

// Says each TERM and stays.
int stubborn() {
    signal(SIGTERM, count_term);
    std::puts("up");
    std::fflush(stdout);
    for (;;) pause();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    const char* what = argv[1];
    const int number = argc > 2 ? std::atoi(argv[2]) : 0;
    if (std::strcmp(what, "orphans") == 0) return orphans(number);
    if (std::strcmp(what, "reap") == 0) return reap(number);
    if (std::strcmp(what, "daemon") == 0) return leave_daemon();
    if (std::strcmp(what, "lines") == 0) return lines(number);
    if (std::strcmp(what, "stubborn") == 0) return stubborn();
    return 2;
}
