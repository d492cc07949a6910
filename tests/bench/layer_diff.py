"""Compares two images, each a `docker save` archive, layer by layer: layer_diff.py A.tar B.tar.

Prints one line a layer, and for those that differ what differs in them. Ends with 1 when anything does.
"""

import hashlib
import json
import sys
import tarfile


def layers(archive):
    manifest = json.load(archive.extractfile("manifest.json"))[0]
    config = json.load(archive.extractfile(manifest["Config"]))
    made_by = [step.get("created_by", "") for step in config["history"] if not step.get("empty_layer")]
    return list(zip(config["rootfs"]["diff_ids"], manifest["Layers"], made_by))


def entries(archive, name):
    found = {}
    with tarfile.open(fileobj=archive.extractfile(name)) as layer:
        for member in layer:
            content = hashlib.sha256(layer.extractfile(member).read()).hexdigest() if member.isreg() else ""
            attributes = {key: value for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr")}
            found[member.name] = {
                "type": member.type, "mode": oct(member.mode), "owner": (member.uid, member.gid), "date": member.mtime,
                "size": member.size, "link": member.linkname, "attributes": attributes, "content": content}
    return found


def differences(first, second):
    for name in sorted(first.keys() | second.keys()):
        if name not in first or name not in second:
            yield f"{name}: only in the {'second' if name in second else 'first'}"
        elif first[name] != second[name]:
            keys = [key for key in first[name] if first[name][key] != second[name][key]]
            yield f"{name}: " + ", ".join(f"{key} {first[name][key]} / {second[name][key]}" for key in keys)


def main():
    first, second = (tarfile.open(path) for path in sys.argv[1:3])
    same = True
    pairs = list(zip(layers(first), layers(second), strict=True))
    for number, ((digest, name, made_by), (other_digest, other_name, _)) in enumerate(pairs, 1):
        equal = digest == other_digest
        same = same and equal
        print(f"{number}/{len(pairs)} {'same' if equal else 'DIFFERS'} {digest[:19]} {' '.join(made_by.split())[-70:]}")
        if not equal:
            lines = list(differences(entries(first, name), entries(second, other_name)))
            print("\n".join("      " + line for line in lines[:40]) or "      the same entries in another order")
    return 0 if same else 1


sys.exit(main())
