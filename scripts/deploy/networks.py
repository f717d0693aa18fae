"""What the NetworkPolicies let through, worked out from the objects as a cluster would, and held against the guard's table."""

import copy
from ipaddress import ip_address, ip_network

import yaml

from chart import pods, read

TABLE = "deploy/helm/hookline/files/refused-networks.yaml"


def matches(selector, labels):
    if selector is None:
        return False
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions", []):
        has = expression["key"] in labels
        if expression["operator"] == "Exists" and not has:
            return False
        assert expression["operator"] in ("Exists",), "an operator that this check does not know"
    return True


def policies_of(objects, labels, direction):
    return [found["spec"] for found in objects if found["kind"] == "NetworkPolicy" and direction in found["spec"]["policyTypes"]
            and matches(found["spec"]["podSelector"], labels)]


def has_port(rule, port, protocol):
    return "ports" not in rule or any(
        one.get("protocol", "TCP") == protocol and one["port"] <= port <= one.get("endPort", one["port"]) for one in rule["ports"])


def may_reach(objects, labels, address, port, protocol="TCP"):
    """Whether a pod with these labels may connect to an address outside of the cluster."""
    policies = policies_of(objects, labels, "Egress")
    if not policies:
        return True
    address = ip_address(address)
    for policy in policies:
        for rule in policy.get("egress", []):
            if not has_port(rule, port, protocol):
                continue
            if "to" not in rule:
                return True
            for peer in rule["to"]:
                block = peer.get("ipBlock")
                if block and address in ip_network(block["cidr"]) and not any(
                        address in ip_network(one) for one in block.get("except", [])):
                    return True
    return False


def may_be_reached(objects, labels, port):
    """The peers that may connect to a pod; None: everybody."""
    policies = policies_of(objects, labels, "Ingress")
    if not policies:
        return None
    peers = []
    for policy in policies:
        for rule in policy.get("ingress", []):
            if has_port(rule, port, "TCP"):
                if not rule.get("from"):
                    return None
                peers += rule["from"]
    return peers


def edges(network):
    """The first and the last address, and the neighbours outside."""
    network = ip_network(network)
    inside = [network[0], network[-1]]
    outside = []
    for address, step in ((network[0], -1), (network[-1], 1)):
        try:
            outside.append(address + step)
        except ValueError:
            pass
    return inside, outside


def labels_of(objects, component):
    found = [template["metadata"]["labels"] for _, template in pods(objects)
             if template["metadata"]["labels"]["app.kubernetes.io/component"] == component]
    return found[0] if found else None


def judge_guard(objects, denied=(), component="dispatcher"):
    """Faults of a program's way out to the internet, where it goes there by itself."""
    table = yaml.safe_load(read(TABLE))
    labels = labels_of(objects, component)
    faults = []
    refused = [ip_network(one) for one in table["ipv4"] + table["ipv6"]]
    for network in refused + [ip_network(one) for one in denied]:
        inside, outside = edges(network)
        faults += [f"{address} of {network} is let through" for address in inside if may_reach(objects, labels, address, 443)]
        for address in outside:
            is_public = not any(address in one for one in refused) and not any(address in ip_network(one) for one in denied) and (
                address.version == 4 or address in ip_network(table["ipv6Of"]))
            if is_public and not may_reach(objects, labels, address, 443):
                faults.append(f"{address}, beside {network}, is not let through")
    for address in ("::1", "::ffff:10.0.0.1", "fc00::1", "fe80::1", "ff02::1", "64:ff9b::a00:1"):
        if may_reach(objects, labels, address, 443):
            faults.append(f"{address} is let through")
    for address in ("93.184.216.34", "2606:2800:220:1::1"):
        if not may_reach(objects, labels, address, 443):
            faults.append(f"{address} is not let through")
        faults += [f"port {port} of {address} is let through" for port in (22, 25, 5432, 5672, 6379, 10250)
                   if may_reach(objects, labels, address, port)]
    exceptions = {one["cidr"]: one["except"] for found in objects if found["kind"] == "NetworkPolicy"
                  for rule in found["spec"].get("egress", []) for peer in rule.get("to", [])
                  for one in [peer.get("ipBlock", {})] if "except" in one}
    given = [one if "/" in one else f"{one}/{ip_address(one).max_prefixlen}" for one in denied]
    wanted = {"0.0.0.0/0": table["ipv4"] + [one for one in given if ":" not in one],
              table["ipv6Of"]: table["ipv6"] + [one for one in given if one[0] in "23" and ":" in one]}
    if exceptions != wanted:
        faults.append(f"the exceptions are {exceptions}, and should be {wanted}")
    for cidr, excepted in exceptions.items():
        faults += [f"{one} is not inside of {cidr}" for one in excepted if not ip_network(one).subnet_of(ip_network(cidr))]
    return faults


def sends_to_endpoints(template):
    """Dispatchers, and a console that is told to certify endpoints."""
    settings = {one["name"]: one.get("value") for container in template["spec"]["containers"] for one in container.get("env", [])}
    component = template["metadata"]["labels"]["app.kubernetes.io/component"]
    return component == "dispatcher" or (component == "console" and settings.get("HOOKLINE_CERTIFY") == "on")


def judge_doors(objects):
    """Faults of who may come in, and of programs that have no business outside."""
    faults = []
    for name, template in pods(objects):
        labels = template["metadata"]["labels"]
        if may_be_reached(objects, labels, 22) != []:
            faults.append(f"{name}: may be reached on any port")
        if not sends_to_endpoints(template) and may_reach(objects, labels, "93.184.216.34", 443):
            faults.append(f"{name}: may reach the internet")
        for port in (8080, 9464):
            if may_be_reached(objects, labels, port) is None:
                faults.append(f"{name}: everybody may reach port {port}")
    if may_be_reached(objects, labels_of(objects, "dispatcher"), 9464) == []:
        faults.append("nobody may read the dispatcher's metrics")
    return faults


def dispatcher_policy(objects):
    return next(found["spec"] for found in objects if found["kind"] == "NetworkPolicy" and found["metadata"]["name"].endswith("-dispatcher"))


def blocks(objects):
    return [peer["ipBlock"] for rule in dispatcher_policy(objects)["egress"] for peer in rule["to"] if "ipBlock" in peer]


def drop_policy(objects, ending):
    objects.remove(next(found for found in objects if found["kind"] == "NetworkPolicy" and found["metadata"]["name"].endswith(ending)))


MISTAKES = [
    (judge_guard, lambda o: blocks(o)[0]["except"].remove("169.254.0.0/16")),
    (judge_guard, lambda o: blocks(o)[0]["except"].append("93.184.216.0/24")),
    (judge_guard, lambda o: blocks(o)[1].update(cidr="::/0")),
    (judge_guard, lambda o: dispatcher_policy(o)["egress"].append({"ports": [{"port": 443}]})),
    (judge_guard, lambda o: dispatcher_policy(o)["egress"][-1].pop("ports")),
    (judge_doors, lambda o: [drop_policy(o, "-deny"), drop_policy(o, "-migration")]),
    (judge_doors, lambda o: dispatcher_policy(o)["ingress"][0].pop("from")),
    (judge_doors, lambda o: dispatcher_policy(o).pop("ingress")),
    (judge_doors, lambda o: next(f for f in o if f["metadata"]["name"].endswith("-console") and f["kind"] == "NetworkPolicy")["spec"][
        "egress"].append({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]})),
]


def unfound(objects):
    """Mistakes that are not found in objects that are right."""
    left = []
    for number, (rule, mistake) in enumerate(MISTAKES):
        wrong = copy.deepcopy(objects)
        mistake(wrong)
        if not rule(wrong):
            left.append(f"{rule.__name__}, mistake {number + 1}")
    return left
