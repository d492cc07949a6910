# From "DISTRIBUTION\nAGENT_VERSION\n" and dpkg-query's lines to an SPDX 2.3 document.
def entry($id; $name; $version): {SPDXID: "SPDXRef-\($id)", name: $name, versionInfo: $version,
  downloadLocation: "NOASSERTION", filesAnalyzed: false};
split("\n") as $lines | $lines[0] as $distribution | $lines[1] as $agent
| [$lines[2:][] | split("\t") | select(.[0] == "ii ")] as $packages
| {spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", name: $image,
   documentNamespace: "urn:gocd-agent-image:\($id)",
   creationInfo: {created: $created, creators: ["Tool: gocd-agent-images-\($version)"]},
   packages: ([entry("image"; $image; $id),
       (entry("gocd-supervisor"; "gocd-supervisor"; $version) + {licenseDeclared: "Apache-2.0"}),
       (entry("go-agent"; "go-agent"; $agent) + {licenseDeclared: "Apache-2.0"})]
     + [$packages[] | entry("deb-\(.[1] | gsub("[^A-Za-z0-9.-]"; "-"))-\(.[3])"; .[1]; .[2])
         + {externalRefs: [{referenceCategory: "PACKAGE-MANAGER", referenceType: "purl",
              referenceLocator: "pkg:deb/\($distribution)/\(.[1] | @uri)@\(.[2] | @uri)?arch=\(.[3])"}]}]),
   relationships: ([{spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: "SPDXRef-image"}]
     + [("gocd-supervisor", "go-agent") | {spdxElementId: "SPDXRef-image", relationshipType: "CONTAINS", relatedSpdxElement: "SPDXRef-\(.)"}]
     + [$packages[] | {spdxElementId: "SPDXRef-image", relationshipType: "CONTAINS",
          relatedSpdxElement: "SPDXRef-deb-\(.[1] | gsub("[^A-Za-z0-9.-]"; "-"))-\(.[3])"}])}
