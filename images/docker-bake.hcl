# For `docker buildx bake -f images/docker-bake.hcl`: the same builds as images/build, without its checks.
variable "BASE" { default = "debian:trixie-slim" }
variable "GOCD_VERSION" { default = "25.3.0-20862" }
variable "VERSION" { default = "0.1.0" }
variable "REVISION" { default = "" }
variable "TAG" { default = "dev" }

group "default" { targets = ["dind", "agent-docker", "agent"] }

target "common" {
  context = "."
  args = {
    BASE = BASE
    GOCD_VERSION = GOCD_VERSION
    VERSION = VERSION
    REVISION = REVISION
  }
}

target "dind" {
  inherits = ["common"]
  dockerfile = "Dockerfile.dind"
  target = "dind"
  tags = ["gocd-agent-dind:${TAG}"]
}

target "agent" {
  inherits = ["common"]
  dockerfile = "Dockerfile.agent"
  target = "agent"
  tags = ["gocd-agent:${TAG}"]
}

target "agent-docker" {
  inherits = ["common"]
  dockerfile = "Dockerfile.agent"
  target = "agent-docker"
  tags = ["gocd-agent-docker:${TAG}"]
}
