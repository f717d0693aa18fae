"""What the Dockerfile may say: images of one program, for nobody in particular, that hold nothing to work with."""

import json
import re

from chart import read

# target -> the program in it
IMAGES = {"dispatcher": "hookline-dispatcher", "console": "hookline-console", "cli": "hookline"}


def stages(text):
    """Name -> (what it begins with, its instructions as (word, rest))."""
    found, current = {}, None
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
    for line in re.sub(r"\\\n", " ", text).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            current = found[name.strip()] = (base.strip(), [])
        elif word:
            current[1].append((word, rest.strip()))
    return found


def lineage(found, name):
    """Everything that ends up in an image, from what it begins with on; and what that is."""
    instructions, base = [], name
    while base in found:
        base, own = found[base]
        instructions = own + instructions
    return base, instructions


def is_exec_form(rest):
    try:
        return isinstance(json.loads(rest[rest.index("["):]), list)
    except ValueError:
        return False


def judge(text):
    found = stages(text)
    faults = [f"there is no image {name}" for name in IMAGES if name not in found]
    for name, program in IMAGES.items():
        base, instructions = lineage(found, name)
        said = dict(instructions)
        words = [word for word, _ in instructions]
        if base != "scratch":
            faults.append(f"{name}: begins with {base}, and not with nothing")
        if set(words) & {"RUN", "ADD", "SHELL", "VOLUME"}:
            faults.append(f"{name}: needs a shell, or brings what was not built here")
        if not re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", said.get("USER", "")):
            faults.append(f"{name}: the user {said.get('USER')} is not a number above 0, which Kubernetes can judge")
        if words.count("USER") != 1:
            faults.append(f"{name}: the user changes")
        if said.get("ENTRYPOINT") != json.dumps([program]):
            faults.append(f"{name}: does not start {program} without a shell")
        copied = [rest.split() for word, rest in instructions if word == "COPY"]
        if copied != [["--from=system", "/rootfs/", "/"], ["--from=build", f"/out/{program}", f"/usr/bin/{program}"]]:
            faults.append(f"{name}: holds {copied}")
        if name != "cli" and not (is_exec_form(said.get("HEALTHCHECK", "")) and f'"{program}", "healthcheck"' in said["HEALTHCHECK"]):
            faults.append(f"{name}: is not asked for its health without a shell")
        if re.search(r"(?i)(password|secret|token|key)[^ ]*=", " ".join(rest for word, rest in instructions if word in ("ENV", "ARG", "LABEL"))):
            faults.append(f"{name}: holds a secret")
    if not any("/rootfs/etc/ssl/certs/ca-certificates.crt" in rest for word, rest in found["system"][1] if word == "COPY"):
        faults.append("nobody is trusted: there are no roots")
    faults += [f"{name}: begins with {base} without a version" for name, (base, _) in found.items()
               if base not in found and base != "scratch" and (":" not in base or base.endswith(":latest"))]
    return faults


def channel():
    """The compiler of the image is that of the checkout."""
    wanted = re.search(r'channel = "(\d+\.\d+)', read("rust-toolchain.toml")).group(1)
    used = set(re.findall(r"rust:(\d+\.\d+)", read("Dockerfile")))
    return [] if used == {wanted} else [f"the Dockerfile compiles with {sorted(used)}, rust-toolchain.toml says {wanted}"]


MISTAKES = [
    ("FROM scratch AS base", "FROM debian:bookworm-slim AS base"),
    ("USER 65532:65532", "USER root"),
    ("USER 65532:65532", "USER hookline"),
    ("EXPOSE 9464", "USER 0:0"),
    ("EXPOSE 9464", "RUN chmod 777 /"),
    ("EXPOSE 9464", "ENV HOOKLINE_MASTER_KEY=AAAA"),
    ('ENTRYPOINT ["hookline-console"]', "ENTRYPOINT hookline-console"),
    ('CMD ["hookline-console", "healthcheck"]', "CMD curl -f localhost:8080"),
    ("COPY --from=build /out/hookline /usr/bin/hookline", "COPY --from=build /src /src"),
    ("/rootfs/etc/ssl/certs/ca-certificates.crt\n", "/etc/ca.crt\n"),
    ("FROM debian:bookworm-slim AS system", "FROM debian AS system"),
]


def unfound(text):
    left = []
    for right, wrong in MISTAKES:
        changed = text.replace(right, wrong)
        if changed == text:
            left.append(f"there is no {right!r} to change")
        elif not judge(changed):
            left.append(f"{right!r} as {wrong!r}")
    return left


def checks():
    """(name, faults) of each check."""
    text = read("Dockerfile")
    return [("Dockerfile: one program each, as uid 65532, from nothing", judge(text)),
            ("Dockerfile: mistakes are found", unfound(text)),
            ("Dockerfile: the compiler of rust-toolchain.toml", channel())]
