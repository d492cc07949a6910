#include "agent/fetch/fetcher.hpp"

#include <fcntl.h>

#include <cstdint>
#include <functional>
#include <future>
#include <memory>

#include "agent/fetch/md5.hpp"
#include "base/strings.hpp"
#include "sys/files.hpp"
#include "sys/paths.hpp"

namespace supervisor::agent::fetch {
namespace {

// Larger than any agent file by far; a server that sends without end must not fill the disk.
constexpr std::uint64_t kLargestFile = 1ULL << 30;
constexpr std::size_t kLargestStatus = 1 << 20;

std::string part_name(const std::string& directory, const std::string& name) {
    return directory + "/." + name + ".part";
}

std::map<std::string, std::string> baked_sums(const std::string& baked) {
    if (baked.empty()) return {};
    return parse_md5_list(sys::read_file_or(baked + '/' + kBakedList))
        .value_or(std::map<std::string, std::string>());
}

// Reads the files in place, all at once: 42 MB are worth two processors. A link to a baked file needs no
// reading.
std::map<std::string, LocalSums> local_sums(const Options& options) {
    std::map<std::string, LocalSums> sums;
    std::map<std::string, std::future<Result<std::string>>> reading;
    for (const auto& [name, md5] : baked_sums(options.baked)) {
        if (sys::exists(options.baked + '/' + name)) sums[name].baked = md5;
    }
    for (const auto& file : agent_files()) {
        const std::string name(file.name);
        const auto path = options.directory + '/' + name;
        if (const auto target = sys::link_target(path)) {
            if (*target == options.baked + '/' + name) sums[name].in_place = sums[name].baked;
        } else {
            reading[name] = std::async(std::launch::async, md5_of_file, path);
        }
    }
    for (auto& [name, sum] : reading) {
        if (auto known = sum.get()) sums[name].in_place = std::move(*known);
    }
    return sums;
}

// A file on its way.
struct Download {
    PlannedFile file;
    std::string part;
    UniqueFd fd;
    Md5 sum;
    std::uint64_t size = 0;
    Transfer transfer;

    Result<> take(std::string_view piece) {
        size += piece.size();
        if (size > kLargestFile) return fail(without_user(transfer.url) + ": more than 1 GiB");
        sum.update(piece);
        auto written = sys::write_all(fd.get(), piece);
        return written ? written : fail(written.error(), part);
    }
};

Result<std::unique_ptr<Download>> start(const Options& options, const PlannedFile& file) {
    auto download = std::make_unique<Download>();
    download->file = file;
    download->part = part_name(options.directory, file.name);
    (void)sys::remove_file(download->part);
    SUPERVISOR_TRY_ASSIGN(fd, sys::open_file(download->part, O_WRONLY | O_CREAT | O_EXCL, 0644));
    download->fd = std::move(fd);
    download->transfer.url = options.server + file.url_path;
    download->transfer.sink = [raw = download.get()](std::string_view piece) { return raw->take(piece); };
    return download;
}

Result<> finish(const Options& options, Download& download) {
    SUPERVISOR_TRY(download.transfer.outcome);
    const auto md5 = download.sum.hex();
    if (md5 != download.file.md5) {
        return fail(without_user(download.transfer.url) + ": got a file with md5 " + md5 +
                    ", the server announced " + download.file.md5);
    }
    const auto path = options.directory + '/' + download.file.name;
    return sys::rename_path(download.part, path);
}

}  // namespace

void Fetcher::remove_leftovers() const {
    for (const auto* name : {"data", "exploded_agent_launcher_dependencies"})
        (void)sys::remove_tree(options_.directory + '/' + name);
}

Result<ServerStatus> Fetcher::ask_server(bool use_environment_proxy) {
    std::size_t size = 0;
    Transfer transfer;
    transfer.url = options_.server + std::string(kStatusPath);
    transfer.sink = [&](std::string_view piece) -> Result<> {
        size += piece.size();
        if (size > kLargestStatus)
            return fail(without_user(transfer.url) +
                        ": a page instead of headers; is this a GoCD server's address?");
        return {};
    };
    http_.run({&transfer}, use_environment_proxy);
    SUPERVISOR_TRY(transfer.outcome);
    auto status = parse_server_status(transfer.headers);
    if (!status) return fail(status.error(), without_user(transfer.url));
    return status;
}

// A link costs nothing; copying 42 MB into the volume costs a start about 50 ms, and hard links and reflinks
// do not cross from the image into a volume.
Result<> Fetcher::link_baked(const std::string& name) const {
    const auto part = part_name(options_.directory, name);
    const auto target = options_.baked + '/' + name;
    const auto path = options_.directory + '/' + name;
    SUPERVISOR_TRY(sys::make_link(target, part));
    return sys::rename_path(part, path);
}

Result<> Fetcher::download(const std::vector<PlannedFile>& files, bool use_environment_proxy,
                           FetchResult& result) {
    std::vector<std::unique_ptr<Download>> downloads;
    std::vector<Transfer*> transfers;
    for (const auto& file : files) {
        SUPERVISOR_TRY_ASSIGN(download, start(options_, file));
        transfers.push_back(&download->transfer);
        downloads.push_back(std::move(download));
    }
    http_.run(transfers, use_environment_proxy);
    Result<> outcome;
    for (auto& download : downloads) {
        auto finished = finish(options_, *download);
        if (!finished) (void)sys::remove_file(download->part);
        if (!finished && outcome) outcome = std::move(finished);
        result.bytes_fetched += download->size;
    }
    return outcome;
}

Result<FetchResult> Fetcher::attempt(bool use_environment_proxy) {
    auto reading = std::async(std::launch::async, [this] {
        remove_leftovers();
        return local_sums(options_);
    });
    auto status = ask_server(use_environment_proxy);
    const auto local = reading.get();
    if (!status) return fail(std::move(status).error());
    FetchResult result;
    result.status = std::move(*status);
    std::vector<PlannedFile> wanted;
    for (const auto& file : plan_fetch(result.status, local)) {
        if (file.source == PlannedFile::Source::Server) {
            wanted.push_back(file);
            ++result.fetched;
        } else if (file.source == PlannedFile::Source::Baked) {
            SUPERVISOR_TRY(link_baked(file.name));
            ++result.baked;
        } else {
            ++result.in_place;
        }
    }
    if (!wanted.empty()) SUPERVISOR_TRY(download(wanted, use_environment_proxy, result));
    return result;
}

}  // namespace supervisor::agent::fetch
