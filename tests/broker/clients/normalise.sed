# What differs between two runs of the same commands, whatever is in between.
s/\r//g
s/\^@//g
s/sha256:[0-9a-f]{7,64}(…|\b)/sha256:ID/g
s/\b[0-9a-f]{10,14}…/ID…/g
s/\b[0-9a-f]{64}\b/ID64/g
s/\b[0-9a-f]{12}\b/ID12/g
s/\b[0-9a-f]{12}_app_/ID12_app_/g
s/[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+( ?[-+][0-9]{2}:?[0-9]{2}| ?Z)?( UTC)?/TIME/g
s/\b(About a|About an|Less than a|[0-9]+) (second|minute|hour|day|week)s?\b/AGE/g
s/\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b/MAC/g
s/\b(172|10|192)\.[0-9]+\.[0-9]+\.[0-9]+(\/[0-9]+)?\b/ADDRESS/g
s/(127\.0\.0\.1|0\.0\.0\.0):(3[2-9]|[45][0-9]|6[0-5])[0-9]{3}\b/\1:PORT/g
s/"(HostPort)":"[0-9]+"/"\1":"PORT"/g

# What the broker changes on purpose; docs/broker.md names it.
# Ownership labels are seen by jobs too.
s/"org\.gocd\.agent\.[a-z]*":"[^"]*",?//g
s/,?org\.gocd\.agent\.id=[^,)]*,org\.gocd\.agent\.owner=[^,)]*//g
s/,\}/}/g
# References are resolved before the engine sees them: where its errors repeat the reference, they say the id.
s/in container [a-z0-9A-Z]+/in container REFERENCE/
# Nor does an object that is not the agent's reach the verb whose failure the engine would report.
s/[Cc]annot kill container: [^:]*: //
s/[Nn]o such image: [^:]*:[^:]*: No such image/No such image/
# A path that is not in the table says so.
s/page not found: the agent's Docker broker[^"]*/page not found/
s/Neither old nor/neither old nor/
# Malformed JSON is the client's fault, not the engine's.
# Whether an older client still waits for a container that could not start is a matter of luck.
/error waiting for container: context canceled/d
