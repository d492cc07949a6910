# jq -n --rawfile pod pod.yaml -f dind.jq: the elastic profile whose pod is pod.yaml, as the REST API takes it.
{
  id: "dind",
  cluster_profile_id: "kubernetes",
  properties: [
    { key: "PodSpecType", value: "yaml" },
    { key: "PodConfiguration", value: $pod }
  ]
}
