# Prints what is wrong with a recipe, one line each; nothing when it is right.
def known: ["variant", "description", "base", "packages", "files", "environment", "labels", "gocd_version", "jre"];
def type_is($wanted; $reason): if . == null or type == $wanted then empty else $reason end;
def strings_of($key): .[$key] | if . == null then empty
  elif type != "array" then "\($key): a list of strings is expected, not \(type)"
  else to_entries[] | select(.value | type != "string") | "\($key)[\(.key)]: a string is expected, not \(.value | type)" end;
def variables_of($key): .[$key] | if . == null then empty
  elif type != "object" then "\($key): an object of strings is expected, not \(type)"
  else to_entries[] | select(.value | type != "string") | "\($key).\(.key): a string is expected, not \(.value | type)" end;
def packages: (.packages // [])
  | if type == "array" then to_entries[] | select(.value | type == "string" and (test("^[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?$") | not))
    | "packages[\(.key)]: \"\(.value)\" is not a package name" else empty end;
def names: (.environment // {})
  | if type == "object" then keys[] | select(test("^[A-Za-z_][A-Za-z0-9_]*$") | not) | "environment.\(.): not a variable name" else empty end;
def file($i): if type != "object" then "files[\($i)]: an object with from and to is expected"
  else (keys[] | select(. as $key | ["from", "to", "mode"] | index($key) | not) | "files[\($i)].\(.): unknown key; known are from, to, mode"),
    (if (.from | type) != "string" then "files[\($i)].from: a path is expected" elif .from | startswith("/") or test("(^|/)\\.\\.(/|$)")
      then "files[\($i)].from: a path below the recipe's folder is expected" else empty end),
    (if (.to | type) != "string" or (.to | startswith("/") | not) then "files[\($i)].to: an absolute path is expected" else empty end),
    (if .mode != null and (.mode | type != "string" or (test("^0?[0-7]{3}$") | not)) then "files[\($i)].mode: \"0644\" or the like is expected" else empty end)
  end;
if type != "object" then "an object is expected, not \(type)" else
  (keys[] | select(. as $key | known | index($key) | not) | "\(.): unknown key; known are \(known | join(", "))"),
  (if .variant == null then "variant: is missing; accepted are agent, agent-docker, dind"
    elif .variant | IN("agent", "agent-docker", "dind") | not then "variant: \(.variant | tojson) is not one of agent, agent-docker, dind" else empty end),
  (.description | type_is("string"; "description: a string is expected")),
  (.base | type_is("string"; "base: the name of an image is expected")),
  (.jre | type_is("string"; "jre: the name of a package is expected")),
  (.gocd_version | if . == null then empty elif type == "string" and test("^[0-9]+\\.[0-9]+\\.[0-9]+-[0-9]+$") then empty
    else "gocd_version: the full version is expected, such as \"25.3.0-20862\"" end),
  strings_of("packages"), packages, variables_of("environment"), names, variables_of("labels"),
  (.files | if . == null then empty elif type != "array" then "files: a list is expected, not \(type)" else to_entries[] | .key as $i | .value | file($i) end)
end
