#include "service/processes.hpp"

#include <unistd.h>

#include <cerrno>

#include "base/log.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::service {

namespace {

struct Stream {
    int number;  // in the child
    LineWriter* destination;
    proc::OutputPump::OnLine on_line;
};

// The streams that are to be read, each with what becomes of its lines.
std::vector<Stream> streams_of(const std::string& name, const Output& output) {
    const auto relay = [&](LineWriter* writer) {
        return [name, writer, observer = output.observer, ignored = output.ignored](std::string_view line) {
            if (ignored && ignored(line)) return;
            if (observer) observer(line);
            writer->write_line(log::service_line(name, line));
        };
    };
    std::vector<Stream> streams;
    if (output.result) {
        streams.push_back({STDOUT_FILENO, &log::error_stream(), output.result});
    } else if (output.standard_output != nullptr) {
        streams.push_back({STDOUT_FILENO, output.standard_output, relay(output.standard_output)});
    }
    if (output.standard_error != nullptr) {
        streams.push_back({STDERR_FILENO, output.standard_error, relay(output.standard_error)});
    }
    return streams;
}

}  // namespace

Result<UniqueFd> RealProcesses::pump(Running& running, LineWriter& destination,
                                     proc::OutputPump::OnLine on_line) {
    SUPERVISOR_TRY_ASSIGN(pipe, sys::make_pipe());
    SUPERVISOR_TRY_ASSIGN(
        pump, proc::OutputPump::start(loop_, std::move(pipe.read), destination, std::move(on_line)));
    running.pumps.push_back(std::move(pump));
    return std::move(pipe.write);
}

Result<pid_t> RealProcesses::start(const proc::ChildPlan& plan, const Output& output, OnExit on_exit) {
    Running running;
    proc::ChildPlan mapped = plan;
    std::vector<UniqueFd> write_ends;  // ours only until the child has them
    for (auto& stream : streams_of(plan.name, output)) {
        auto end = pump(running, *stream.destination, std::move(stream.on_line));
        if (!end) return fail(end.error(), "start " + plan.name);
        mapped.descriptors.push_back({end->get(), stream.number});
        write_ends.push_back(std::move(*end));
    }
    SUPERVISOR_TRY_ASSIGN(child, spawner_.spawn(mapped));
    const pid_t pid = child.pid;
    running.child = std::move(child);
    running_.insert_or_assign(pid, std::move(running));
    reaper_.expect(pid, [this, pid, on_exit = std::move(on_exit)](const proc::ExitStatus& status) {
        ended(pid);
        on_exit(status);
    });
    return pid;
}

void RealProcesses::ended(pid_t pid) {
    const auto found = running_.find(pid);
    if (found == running_.end()) return;
    for (auto& pump : found->second.pumps) pump.finish();
    running_.erase(found);
}

Result<> RealProcesses::signal(pid_t pid, int number) {
    const auto found = running_.find(pid);
    return found == running_.end() ? Result<>() : proc::send_signal(found->second.child, number);
}

Result<> RealProcesses::signal_group(pid_t pid, int number) {
    if (running_.count(pid) == 0 || pid <= 1) return {};
    if (::kill(-pid, number) != 0 && errno != ESRCH) {
        return fail(system_error("signal process group", std::to_string(pid)));
    }
    return {};
}

void RealProcesses::kill_rest_of_group(pid_t pid) {
    if (pid > 1) (void)::kill(-pid, SIGKILL);  // ESRCH: nobody is left
}

}  // namespace supervisor::service
