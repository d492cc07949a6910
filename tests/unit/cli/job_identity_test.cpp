#include "cli/job_identity.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace supervisor::cli {
namespace {

using namespace std::string_literals;

TEST(JobIdentity, IsReadFromTheVariablesOfAJob) {
    const auto job = parse_job_identity(
        "PATH=/bin\0GO_PIPELINE_NAME=build\0GO_PIPELINE_COUNTER=12\0GO_STAGE_NAME=compile\0"
        "GO_STAGE_COUNTER=2\0GO_JOB_NAME=linux\0HOME=/home/go\0"s);
    EXPECT_EQ(job.pipeline, "build");
    EXPECT_EQ(job.pipeline_counter, "12");
    EXPECT_EQ(job.stage, "compile");
    EXPECT_EQ(job.stage_counter, "2");
    EXPECT_EQ(job.job, "linux");
}

TEST(JobIdentity, NeedsPipelineAndJob) {
    EXPECT_TRUE(parse_job_identity("").empty());
    EXPECT_TRUE(parse_job_identity("GO_PIPELINE_NAME=build\0"s).empty());
    EXPECT_TRUE(parse_job_identity("GO_JOB_NAME=linux\0GO_STAGE_NAME=compile\0"s).empty());
    EXPECT_TRUE(parse_job_identity("XGO_PIPELINE_NAME=build\0XGO_JOB_NAME=linux\0"s).empty());
    EXPECT_FALSE(parse_job_identity("GO_PIPELINE_NAME=build\0GO_JOB_NAME=linux"s).empty());
}

TEST(JobIdentity, AProcessWithoutAJobHasNone) {
    ASSERT_EQ(::getenv("GO_PIPELINE_NAME"), nullptr);
    EXPECT_TRUE(find_job_identity(-1, ::getuid(), ::getgid()).empty());
    EXPECT_TRUE(find_job_identity(1 << 29, ::getuid(), ::getgid()).empty());
}

}  // namespace
}  // namespace supervisor::cli
