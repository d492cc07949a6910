#!/usr/bin/env python3
"""docker-py: high and low level, hijacked streams without an upgrade, generators."""
import io
import os
import socket
import tarfile
import threading

import docker

IMAGE = os.environ["IMAGE"]
WORK = os.environ["WORK"]
client = docker.from_env(timeout=60)
api = client.api


def step(name, action):
    print("##", name)
    try:
        print(action())
    except Exception as error:  # what a caller sees is what is compared
        print(type(error).__name__, getattr(error, "explanation", None) or error)


def archive(name, content):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def raw(sock):
    return getattr(sock, "_sock", sock)


def read_all(sock):
    out = b""
    while True:
        piece = raw(sock).recv(65536)
        if not piece:
            return out
        out += piece


# Where one frame ends and the next begins is a matter of when the container's processes wrote.
def unframed(data):
    out = {}
    while data:
        end = 8 + int.from_bytes(data[4:8], "big")
        out[data[0]] = out.get(data[0], b"") + data[8:end]
        data = data[end:]
    return out


def attach():
    made = client.containers.create(IMAGE, ["sh", "-c", "cat; echo end"], stdin_open=True, name="attached")
    stream = made.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    made.start()
    raw(stream).sendall(b"hello\n")
    raw(stream).shutdown(socket.SHUT_WR)
    out = read_all(stream)
    made.remove(force=True)
    return unframed(out)


def exec_socket(container):
    made = api.exec_create(container.id, ["sh", "-c", "read line; echo got $line"], stdin=True)
    stream = api.exec_start(made["Id"], socket=True)
    raw(stream).sendall(b"typed\n")
    out = read_all(stream)
    return out, api.exec_inspect(made["Id"])["ExitCode"]


def events_seen():
    seen = []
    stream = client.events(decode=True, filters={"type": "container", "event": ["create", "destroy"]})

    def read():
        for event in stream:
            seen.append((event["Action"], event["Actor"]["Attributes"]["name"]))
            if event["Action"] == "destroy":
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    client.containers.create(IMAGE, name="announced").remove()
    reader.join(20)
    stream.close()
    return seen


def build():
    os.makedirs(WORK + "/context", exist_ok=True)
    with open(WORK + "/context/Dockerfile", "w") as file:
        file.write(f"FROM {IMAGE}\nRUN echo built >/made\nCMD cat /made\n")
    image, lines = client.images.build(path=WORK + "/context", tag="clients-py:1", rm=True, labels={"a": "b"})
    return image.tags, any("Successfully tagged clients-py:1" in line.get("stream", "") for line in lines)


def copied(container):
    ok = container.put_archive("/tmp", archive("file", b"content"))
    stream, stat = container.get_archive("/tmp/file")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        return ok, stat["name"], tar.extractfile("file").read()


step("ping", client.ping)
step("version", lambda: client.version()["ApiVersion"])
step("info", lambda: client.info()["OSType"])
step("run", lambda: client.containers.run(IMAGE, ["echo", "hello"], remove=True))
step("run stderr", lambda: client.containers.run(IMAGE, ["sh", "-c", "echo err >&2"], remove=True, stderr=True))
step("run failing", lambda: client.containers.run(IMAGE, ["sh", "-c", "echo no >&2; exit 3"], remove=True))
step("run none", lambda: client.containers.create("no-such-image:never"))
step("get none", lambda: client.containers.get("none"))
step("attach", attach)
db = client.containers.run(IMAGE, ["sh", "-c", "i=0; while :; do echo line $i; i=$((i+1)); sleep 0.2; done"], name="db", detach=True,
                           labels={"color": "red"}, mem_limit="64m", volumes={WORK: {"bind": "/w", "mode": "ro"}})
step("list", lambda: [(c.name, c.image.tags, c.status) for c in client.containers.list(filters={"label": "color=red"})])
step("list by name", lambda: [c.name for c in client.containers.list(filters={"name": "d"})])
step("name", lambda: (db.name, client.containers.get("db").id == db.id, client.containers.get(db.short_id).name))
step("attrs", lambda: (db.attrs["HostConfig"]["Binds"], db.attrs["HostConfig"]["Memory"], db.attrs["Config"]["Image"]))
step("exec", lambda: db.exec_run(["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True))
step("exec stream", lambda: b"".join(db.exec_run(["seq", "3"], stream=True).output))
step("exec tty", lambda: db.exec_run("tty", tty=True).exit_code)
step("exec socket", lambda: exec_socket(db))
# Whether it has ended by then, and which line comes first, is a matter of luck.
step("exec detached", lambda: db.exec_run("true", detach=True).output)
step("exec foreign", lambda: api.exec_inspect("0" * 64))
step("logs", lambda: db.logs(tail="all").split(b"\n")[0])
step("logs stream", lambda: next(db.logs(stream=True, follow=True)))
step("attach stream", lambda: next(db.attach(stream=True, logs=True)).split()[0])
step("archive", lambda: copied(db))
step("archive none", lambda: db.get_archive("/none"))
step("top", lambda: db.top(ps_args="-o args")["Titles"])
step("stats", lambda: db.stats(stream=False)["name"])
step("stats stream", lambda: next(db.stats(decode=True))["name"])
step("diff", lambda: sorted(change["Path"] for change in db.diff() or []))
step("export", lambda: len(b"".join(db.export())) > 1000000)
step("update", lambda: db.update(mem_limit="128m", memswap_limit="128m"))
step("pause", lambda: (db.pause(), db.unpause()))
step("rename", lambda: (db.rename("database"), client.containers.get("database").name))
step("commit", lambda: db.commit("clients-py", "2").tags)
step("stop", lambda: (db.stop(timeout=1), db.wait()["StatusCode"]))
step("remove", lambda: db.remove(v=True))
step("build", build)
step("run built", lambda: client.containers.run("clients-py:1", remove=True))
step("images", lambda: sorted(t for i in client.images.list(filters={"reference": "clients-py"}) for t in i.tags))
step("save and load", lambda: [i.tags for i in client.images.load(b"".join(client.images.get("clients-py:1").save(named=True)))])
step("tag", lambda: client.images.get("clients-py:1").tag("clients-py", "3"))
for tag in ("1", "2", "3"):
    step("rmi", lambda: client.images.remove("clients-py:" + tag))
net = client.networks.create("n", labels={"a": "b"}, check_duplicate=True)
step("networks", lambda: [n.name for n in client.networks.list(names=["n"]) if n.name == "n"])
step("network twice", lambda: client.networks.create("n", check_duplicate=True))
member = client.containers.run(IMAGE, ["sleep", "100"], name="member", detach=True)
step("connect", lambda: net.connect(member, aliases=["x"]))
step("members", lambda: (net.reload(), [c.name for c in net.containers]))
step("disconnect", lambda: net.disconnect("member"))
step("busy", lambda: (member.remove(force=True), net.remove()))
step("volume", lambda: client.volumes.create("vol", labels={"a": "b"}).name)
step("volumes", lambda: [v.name for v in client.volumes.list(filters={"label": "a=b"})])
step("mount", lambda: client.containers.run(IMAGE, ["sh", "-c", "echo x >/v/x; cat /v/x"], remove=True, volumes=["vol:/v"]))
step("volume removed", lambda: client.volumes.get("vol").remove())
step("volume gone", lambda: client.volumes.get("vol"))
step("events", events_seen)
step("prune", lambda: sorted(client.containers.prune()))
step("df", lambda: sorted(client.df()))
