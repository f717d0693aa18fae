"""docker-compose.yml, read by Docker Compose itself, and what it claims."""

import importlib.util
import json
import os
import subprocess
from ipaddress import ip_address, ip_network

from chart import ROOT, read

OURS = {"console": "console", "dispatcher": "dispatcher", "register": "cli", "receiver": "cli", "hookline": "cli"}
OBSERVABILITY = {"collector", "jaeger", "prometheus", "grafana"}


def config(*arguments):
    """What Compose makes of the file; (None, fault) where it refuses it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HOOKLINE_", "OTEL_", "COMPOSE_"))}
    done = subprocess.run([binary(), "-f", os.path.join(ROOT, "docker-compose.yml"), *arguments, "config", "--format", "json"],
                          capture_output=True, text=True, env=environment, check=False)
    if done.returncode or done.stderr.strip():
        return None, done.stderr.strip() or f"exit status {done.returncode}"
    return json.loads(done.stdout), None


def binary():
    """The package's own command hides the exit status of the program that it holds."""
    return os.path.join(os.path.dirname(importlib.util.find_spec("compose").origin), "docker-compose")


def seconds(text):
    """Of a duration like 45s or 1m30s."""
    total, number = 0, ""
    for letter in text:
        if letter.isdigit():
            number += letter
        else:
            total, number = total + int(number) * {"h": 3600, "m": 60, "s": 1}[letter], ""
    return total


def judge(whole, default):
    services = whole["services"]
    faults = []
    if set(default["services"]) != (set(services) - OBSERVABILITY - {"hookline"}):
        faults.append(f"without a profile there are {sorted(default['services'])}")
    if not OBSERVABILITY <= set(services):
        faults.append(f"the profile observability lacks {sorted(OBSERVABILITY - set(services))}")
    for name, target in OURS.items():
        service = services[name]
        if service.get("build", {}).get("target") != target:
            faults.append(f"{name}: is not built here, as {target}")
        if not (service.get("read_only") and service.get("cap_drop") == ["ALL"] and service.get("security_opt") == ["no-new-privileges:true"]):
            faults.append(f"{name}: is not confined")
        if service.get("user") or service.get("privileged"):
            faults.append(f"{name}: is somebody else than its image says")
    for name, service in services.items():
        for port in service.get("ports", []):
            if port.get("host_ip") != "127.0.0.1":
                faults.append(f"{name}: port {port['target']} is open to other machines")
        if "build" not in service and (":" not in service["image"] or service["image"].endswith(":latest")):
            faults.append(f"{name}: {service['image']} has no version")
        for volume in service.get("volumes", []):
            if volume["type"] == "bind" and not os.path.exists(volume["source"]) and "/deploy/prometheus" not in volume["source"] and (
                    "/deploy/grafana" not in volume["source"]):
                faults.append(f"{name}: there is no {volume['source']}")
    for name in ("rabbitmq", "postgres", "console", "dispatcher"):
        if not services[name].get("healthcheck", {}).get("test"):
            faults.append(f"{name}: nobody asks for its health")
    for name in ("console", "dispatcher"):
        if services[name]["healthcheck"]["test"] != ["CMD", f"hookline-{name}", "healthcheck"]:
            faults.append(f"{name}: its health takes a shell")
        if seconds(services[name].get("stop_grace_period", "10s")) < 45:
            faults.append(f"{name}: is killed before it has stopped")
    if services["dispatcher"].get("deploy", {}).get("replicas") != 2:
        faults.append("there are not two dispatchers")
    order = {name: {other: condition["condition"] for other, condition in service.get("depends_on", {}).items()}
             for name, service in services.items()}
    if order["console"] != {"rabbitmq": "service_healthy", "postgres": "service_healthy"} or (
            order["register"] != {"console": "service_healthy"}) or (
            order["dispatcher"].get("register") != "service_completed_successfully"):
        faults.append(f"the order is {order}")
    for name in ("console", "dispatcher"):
        key = services[name]["environment"]["HOOKLINE_MASTER_KEY"]
        if key != services["console"]["environment"]["HOOKLINE_MASTER_KEY"]:
            faults.append("console and dispatchers have different keys")
        for setting in ("HOOKLINE_ALLOW_HTTP", "HOOKLINE_ALLOW_CIDRS", "HOOKLINE_ALLOW_HOSTS"):
            if services[name]["environment"].get(setting) != services["console"]["environment"].get(setting):
                faults.append(f"{setting} differs")
    return faults


def apart(whole):
    """The guard lets the receiver's address through and no other private one, and what it must not reach is not even beside it."""
    services = whole["services"]
    faults = []
    networks = {name: service.get("networks") or {"default": None} for name, service in services.items()}
    beside = {name for name, of_it in networks.items() if "receivers" in of_it}
    if beside != {"receiver", "dispatcher"} or set(networks["receiver"]) != {"receivers"} or set(networks["dispatcher"]) != {"default", "receivers"}:
        faults.append(f"in the network of receivers are {sorted(beside)}, and the receiver is in {sorted(networks['receiver'])}")
    address = (networks["receiver"].get("receivers") or {}).get("ipv4_address")
    subnets = [ip_network(one["subnet"]) for one in whole["networks"]["receivers"].get("ipam", {}).get("config", [])]
    # The first address of a network is this machine's.
    if not address or not any(ip_address(address) in subnet and ip_address(address) != subnet[1] for subnet in subnets):
        faults.append(f"the receiver has the address {address}, of {subnets}")
    for name in ("console", "dispatcher"):
        allowed = services[name]["environment"].get("HOOKLINE_ALLOW_CIDRS")
        if allowed != f"{address}/32":
            faults.append(f"{name}: lets {allowed} through, and the receiver is {address}")
    return faults


def labelled():
    """Whoever copies a password meets the words."""
    text = read("docker-compose.yml")
    faults = [] if "FOR DEVELOPMENT ONLY" in text.split("services:")[0] else ["the head does not say that passwords are for development only"]
    secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    if secret not in text or f'secret = "{secret}"' not in read("deploy/compose/endpoints.toml"):
        faults.append("receiver and endpoint have different secrets")
    return faults


MISTAKES = [
    lambda c: c["services"]["rabbitmq"]["ports"][0].update(host_ip="0.0.0.0"),
    lambda c: c["services"]["console"].pop("cap_drop"),
    lambda c: c["services"]["dispatcher"].pop("stop_grace_period"),
    lambda c: c["services"]["dispatcher"]["depends_on"].pop("register"),
    lambda c: c["services"]["dispatcher"]["environment"].update(HOOKLINE_MASTER_KEY="x"),
    lambda c: c["services"]["grafana"].update(image="grafana/grafana"),
    lambda c: c["services"]["console"]["healthcheck"].update(test=["CMD-SHELL", "curl localhost:8080"]),
]
DOORS = [
    lambda c: c["services"]["dispatcher"]["environment"].update(HOOKLINE_ALLOW_CIDRS="172.16.0.0/12"),
    lambda c: c["services"]["postgres"]["networks"].update(receivers=None),
    lambda c: c["services"]["receiver"]["networks"].update(default=None),
    lambda c: c["services"]["receiver"]["networks"]["receivers"].update(ipv4_address="172.31.251.1"),
    lambda c: c["networks"]["receivers"].pop("ipam"),
]


def checks(skip):
    """(name, faults) of each check."""
    everything, fault = config("--profile", "observability", "--profile", "tools")
    if fault:
        return [("docker compose config", [fault])]
    default, fault = config()
    left = []
    for number, mistake in enumerate(MISTAKES):
        wrong = json.loads(json.dumps(everything))
        mistake(wrong)
        if not judge(wrong, default):
            left.append(f"mistake {number + 1}")
    for number, door in enumerate(DOORS):
        wrong = json.loads(json.dumps(everything))
        door(wrong)
        if not apart(wrong):
            left.append(f"door {number + 1}")
    skip("docker compose up", "there is no engine to run it")
    return [("docker compose config takes docker-compose.yml", [fault] if fault else []),
            ("docker-compose.yml: confined, on this machine alone, in order", judge(everything, default)),
            ("docker-compose.yml: dispatchers reach the receiver and no other private address", apart(everything)),
            ("docker-compose.yml: mistakes are found", left),
            ("docker-compose.yml: secrets say that they are for development only", labelled())]
