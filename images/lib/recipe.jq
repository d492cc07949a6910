# Prints what is wrong with a recipe, one line each; nothing when it is right.
def known: ["variant", "description", "base", "packages", "files", "environment", "labels", "gocd_version", "jre"];
def type_is($wanted; $reason): if . == null or type == $wanted then empty else $reason end;
# In a Dockerfile a value is one line.
def one_line($name): if test("[\\x00-\\x1f\\x7f]") then "\($name): text without line ends, tabs and other control characters is expected" else empty end;
def package: type == "string" and test("\\A[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?\\z");
def strings_of($key): .[$key] | if . == null then empty
  elif type != "array" then "\($key): a list of strings is expected, not \(type)"
  else to_entries[] | select(.value | type != "string") | "\($key)[\(.key)]: a string is expected, not \(.value | type)" end;
def variables_of($key): .[$key] | if . == null then empty
  elif type != "object" then "\($key): an object of strings is expected, not \(type)"
  else to_entries[] | "\($key).\(.key | @json | .[1:-1])" as $name | .value
    | if type != "string" then "\($name): a string is expected, not \(type)" else one_line($name) end end;
def packages: (.packages // [])
  | if type == "array" then to_entries[] | select(.value | type == "string" and (package | not)) | "packages[\(.key)]: \(.value | @json) is not a package name"
    else empty end;
def keys_of($key; $pattern; $reason): (.[$key] // {})
  | if type == "object" then keys[] | select(test($pattern) | not) | "\($key).\(@json | .[1:-1]): \($reason)" else empty end;
def path($name): if test("[\\x00-\\x1f\\x7f\\\\]") then "\($name): a path without control characters and backslashes is expected" else empty end;
def climbs: test("(^|/)\\.\\.(/|$)");
def file($i): if type != "object" then "files[\($i)]: an object with from and to is expected"
  else (keys[] | select(. as $key | ["from", "to", "mode"] | index($key) | not) | "files[\($i)].\(.): unknown key; known are from, to, mode"),
    (if (.from | type) != "string" then "files[\($i)].from: a path is expected" elif .from | . == "" or startswith("/") or climbs
      then "files[\($i)].from: a path below the recipe's folder is expected" else .from | path("files[\($i)].from") end),
    (if (.to | type) != "string" or (.to | startswith("/") | not) or (.to | climbs) then "files[\($i)].to: an absolute path without .. is expected"
      else .to | path("files[\($i)].to") end),
    (if .mode != null and (.mode | type != "string" or (test("\\A0?[0-7]{3}\\z") | not)) then "files[\($i)].mode: \"0644\" or the like is expected" else empty end)
  end;
if type != "object" then "an object is expected, not \(type)" else
  (keys[] | select(. as $key | known | index($key) | not) | "\(@json | .[1:-1]): unknown key; known are \(known | join(", "))"),
  (if .variant == null then "variant: is missing; accepted are agent, agent-docker, dind"
    elif .variant | IN("agent", "agent-docker", "dind") | not then "variant: \(.variant | tojson) is not one of agent, agent-docker, dind" else empty end),
  (.description | type_is("string"; "description: a string is expected"), (strings | one_line("description"))),
  (.base | if . == null or (type == "string" and test("\\A[^\\s]+\\z")) then empty else "base: the name of an image is expected" end),
  (.jre | if . == null or package then empty else "jre: the name of a package is expected" end),
  (.gocd_version | if . == null then empty elif type == "string" and test("\\A[0-9]+\\.[0-9]+\\.[0-9]+-[0-9]+\\z") then empty
    else "gocd_version: the full version is expected, such as \"25.3.0-20862\"" end),
  strings_of("packages"), packages, variables_of("environment"), variables_of("labels"),
  keys_of("environment"; "\\A[A-Za-z_][A-Za-z0-9_]*\\z"; "not a variable name"),
  keys_of("labels"; "\\A[^\\s\"=$\\\\]+\\z"; "not the name of a label"),
  (.files | if . == null then empty elif type != "array" then "files: a list is expected, not \(type)" else to_entries[] | .key as $i | .value | file($i) end)
end
