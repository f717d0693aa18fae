"""What every pod must be, and a mistake for each rule that it has to find."""

import copy

from chart import named, pods


def containers(pod):
    spec = pod["spec"]
    return spec.get("initContainers", []) + spec["containers"]


def each_pod(rule):
    """A rule over one pod, over all of them."""
    def judge(objects):
        return [f"{name}: {fault}" for name, pod in pods(objects) for fault in rule(pod)]
    judge.__name__ = rule.__name__
    return judge


def each_container(rule):
    def of_pod(pod):
        return [f"{container['name']}: {fault}" for container in containers(pod) for fault in rule(container)]
    of_pod.__name__ = rule.__name__
    return each_pod(of_pod)


def unless(holds, fault):
    return [] if holds else [fault]


@each_pod
def runs_as_somebody(pod):
    context = pod["spec"].get("securityContext", {})
    return unless(context.get("runAsNonRoot") is True and context.get("runAsUser", 0) > 0, "may run as root") + [
        f"{container['name']} overrides the user" for container in containers(pod)
        if {"runAsUser", "runAsNonRoot"} & set(container.get("securityContext", {}))]


@each_container
def reads_its_root_only(container):
    return unless(container.get("securityContext", {}).get("readOnlyRootFilesystem") is True, "can write to its root")


@each_container
def has_no_capability(container):
    context = container.get("securityContext", {})
    capabilities = context.get("capabilities", {})
    return unless(capabilities.get("drop") == ["ALL"] and not capabilities.get("add"), "has capabilities") + unless(
        context.get("allowPrivilegeEscalation") is False and not context.get("privileged"), "may gain privileges")


@each_pod
def has_a_filter_of_system_calls(pod):
    profile = pod["spec"].get("securityContext", {}).get("seccompProfile", {})
    return unless(profile.get("type") == "RuntimeDefault", "has no seccomp profile")


@each_pod
def shares_nothing_of_the_host(pod):
    spec = pod["spec"]
    shared = [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    shared += [f"hostPath {volume['name']}" for volume in spec.get("volumes", []) if "hostPath" in volume]
    shared += [f"hostPort of {container['name']}" for container in containers(pod)
               for port in container.get("ports", []) if "hostPort" in port]
    return [f"shares {what}" for what in shared]


@each_pod
def gets_no_token(pod):
    return unless(pod["spec"].get("automountServiceAccountToken") is False, "gets a token for the API server")


@each_pod
def gets_no_variables_of_services(pod):
    return unless(pod["spec"].get("enableServiceLinks") is False, "gets variables for every Service of its namespace")


@each_container
def has_bounds(container):
    resources = container.get("resources", {})
    missing = [f"{side}.{what}" for side in ("requests", "limits") for what in ("cpu", "memory") if not resources.get(side, {}).get(what)]
    return [f"has no {one}" for one in missing]


@each_container
def has_no_secret_in_its_environment(container):
    names = ("AMQP_URL", "DATABASE_URL", "MASTER_KEY", "ADMIN_TOKEN", "API_TOKEN", "MANAGEMENT_URL", "OTLP_HEADERS")
    return [f"has {entry['name']} in its environment" for entry in container.get("env", [])
            if entry["name"].endswith(names) or "secretKeyRef" in str(entry.get("valueFrom"))]


@each_pod
def keeps_secrets_from_others(pod):
    faults = []
    for volume in pod["spec"].get("volumes", []):
        source = volume.get("projected") or volume.get("secret") or {}
        is_secret = "secret" in volume or any("secret" in one for one in source.get("sources", []))
        if is_secret and source.get("defaultMode", 0o644) & 0o007:
            faults.append(f"volume {volume['name']} can be read by everybody")
    return faults


def services_are_probed(objects):
    faults = []
    for found in objects:
        if found["kind"] != "Deployment":
            continue
        for container in containers(found["spec"]["template"]):
            for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
                asked = container.get(probe, {}).get("httpGet", {})
                ports = {port["name"] for port in container.get("ports", [])}
                if asked.get("path") != path or asked.get("port") not in ports:
                    faults.append(f"{named(found)}: {probe} does not ask {path} on a port that is there")
    return faults


def stops_have_time(objects):
    """The longest stop is the request timeout and 12 s; a test of the dispatcher holds that number."""
    seconds = {"ms": 0.001, "s": 1, "m": 60}
    faults = []
    for found in objects:
        if found["kind"] != "Deployment" or not found["metadata"]["name"].endswith("-dispatcher"):
            continue
        pod = found["spec"]["template"]["spec"]
        environment = {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}
        timeout = environment.get("HOOKLINE_REQUEST_TIMEOUT", "30s")
        number, unit = timeout.rstrip("ms"), timeout.lstrip("0123456789")
        longest = float(number) * seconds[unit] + 12
        if not max(longest, 35) < pod.get("terminationGracePeriodSeconds", 30) <= longest + 60:
            faults.append(f"{named(found)}: a stop takes up to {longest} s, and the grace period is {pod.get('terminationGracePeriodSeconds')}")
    return faults


def evictions_are_bounded(objects):
    budgets = [found["spec"] for found in objects if found["kind"] == "PodDisruptionBudget"]
    faults = []
    for found in objects:
        if found["kind"] == "Deployment":
            labels = found["spec"]["template"]["metadata"]["labels"]
            of_it = [budget for budget in budgets if budget["selector"]["matchLabels"].items() <= labels.items()]
            if len(of_it) != 1 or of_it[0].get("maxUnavailable") in (0, None):
                faults.append(f"{named(found)}: {len(of_it)} PodDisruptionBudgets, or one that nobody gets past")
    return faults


def replicas_are_spread(objects):
    faults = []
    for found in objects:
        if found["kind"] == "Deployment":
            labels = found["spec"]["template"]["metadata"]["labels"]
            keys = {one["topologyKey"] for one in found["spec"]["template"]["spec"].get("topologySpreadConstraints", [])
                    if one["labelSelector"]["matchLabels"].items() <= labels.items()}
            if keys != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
                faults.append(f"{named(found)}: is spread over {sorted(keys)}")
    return faults


def selectors_select(objects):
    """Deployments their own pods, and Services, monitors and scalers what is there."""
    faults = []
    templates = [template["metadata"].get("labels", {}) for _, template in pods(objects)]
    names = {found["metadata"]["name"] for found in objects if found["kind"] == "Deployment"}
    services = [found for found in objects if found["kind"] == "Service"]
    for found in objects:
        spec = found.get("spec", {})
        if found["kind"] == "Deployment":
            if not spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items():
                faults.append(f"{named(found)}: does not select its own pods")
        elif found["kind"] in ("Service", "PodDisruptionBudget"):
            wanted = spec["selector"] if found["kind"] == "Service" else spec["selector"]["matchLabels"]
            if sum(wanted.items() <= labels.items() for labels in templates) != 1:
                faults.append(f"{named(found)}: does not select the pods of one template")
        elif found["kind"] == "ServiceMonitor":
            wanted = spec["selector"]["matchLabels"]
            of_it = [service for service in services if wanted.items() <= service["metadata"]["labels"].items()]
            ports = {port["name"] for service in of_it for port in service["spec"]["ports"]}
            if len(of_it) != 1 or {endpoint["port"] for endpoint in spec["endpoints"]} - ports:
                faults.append(f"{named(found)}: finds {len(of_it)} Services, with the ports {sorted(ports)}")
        elif found["kind"] in ("HorizontalPodAutoscaler", "ScaledObject") and spec["scaleTargetRef"]["name"] not in names:
            faults.append(f"{named(found)}: scales what is not there")
    return faults


def metrics_stay_inside(objects):
    """A dispatcher's port has health and metrics alone: no Service leads there from outside, and no other port is open."""
    faults = []
    for name, pod in pods(objects):
        if pod["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "dispatcher":
            opened = [(port["name"], port["containerPort"]) for container in containers(pod) for port in container.get("ports", [])]
            faults += unless(opened == [("metrics", 9464)], f"{name}: has the ports {opened}")
    for found in objects:
        if found["kind"] == "Service" and found["spec"]["selector"].get("app.kubernetes.io/component") == "dispatcher":
            faults += unless(found["spec"].get("clusterIP") == "None" and "type" not in found["spec"], f"{named(found)}: leads to it from outside")
    return faults + [f"{named(found)}: leads in from outside" for found in objects if found["kind"] in ("Ingress", "HTTPRoute")]


def one_decides_how_many(objects):
    scalers = {found["spec"]["scaleTargetRef"]["name"] for found in objects
               if found["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")}
    return [f"{named(found)}: replicas and a scaler, or neither" for found in objects if found["kind"] == "Deployment"
            and ("replicas" in found["spec"]) == (found["metadata"]["name"] in scalers)]


def keda_counts_what_is_in_hand(objects):
    faults = []
    for found in objects:
        if found["kind"] == "ScaledObject":
            metadata = found["spec"]["triggers"][0]["metadata"]
            if metadata.get("protocol") != "http" or metadata.get("excludeUnacknowledged") == "true" or metadata.get("mode") != "QueueLength":
                faults.append(f"{named(found)}: messages in hand are not counted")
            if "host" in metadata:
                faults.append(f"{named(found)}: the URL with its password stands in the object")
    return faults


def nobody_may_ask_the_api_server(objects):
    kinds = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
    return [f"{named(found)}: rights that no program needs" for found in objects if found["kind"] in kinds] + [
        f"{named(found)}: hands its token out" for found in objects
        if found["kind"] == "ServiceAccount" and found.get("automountServiceAccountToken") is not False]


def no_secret_is_made(objects):
    return [f"{named(found)}: secrets are made by hand" for found in objects if found["kind"] == "Secret"]


RULES = [
    runs_as_somebody, reads_its_root_only, has_no_capability, has_a_filter_of_system_calls, shares_nothing_of_the_host, gets_no_token,
    gets_no_variables_of_services, has_bounds, has_no_secret_in_its_environment, keeps_secrets_from_others, services_are_probed,
    stops_have_time, evictions_are_bounded, replicas_are_spread, selectors_select, metrics_stay_inside, one_decides_how_many, keda_counts_what_is_in_hand,
    nobody_may_ask_the_api_server, no_secret_is_made,
]


# --- mistakes ---------------------------------------------------------------------------------------

def first(objects, kind):
    return next(found for found in objects if found["kind"] == kind)


def pod_of(objects, kind="Deployment"):
    found = first(objects, kind)
    return found["spec"] if kind == "Pod" else found["spec"]["template"]["spec"]


def container_of(objects, kind="Deployment"):
    return pod_of(objects, kind)["containers"][0]


MISTAKES = {
    "runs_as_somebody": [
        lambda o: pod_of(o)["securityContext"].pop("runAsNonRoot"),
        lambda o: pod_of(o, "Job")["securityContext"].update(runAsUser=0),
        lambda o: container_of(o, "Pod")["securityContext"].update(runAsUser=0),
    ],
    "reads_its_root_only": [lambda o: container_of(o, "Job")["securityContext"].pop("readOnlyRootFilesystem")],
    "has_no_capability": [
        lambda o: container_of(o)["securityContext"]["capabilities"].update(add=["NET_BIND_SERVICE"]),
        lambda o: container_of(o, "Pod")["securityContext"].update(allowPrivilegeEscalation=True),
    ],
    "has_a_filter_of_system_calls": [lambda o: pod_of(o)["securityContext"]["seccompProfile"].update(type="Unconfined")],
    "shares_nothing_of_the_host": [
        lambda o: pod_of(o).update(hostNetwork=True),
        lambda o: pod_of(o)["volumes"].append({"name": "docker", "hostPath": {"path": "/var/run"}}),
    ],
    "gets_no_token": [lambda o: pod_of(o, "Pod").pop("automountServiceAccountToken")],
    "gets_no_variables_of_services": [lambda o: pod_of(o).pop("enableServiceLinks")],
    "has_bounds": [lambda o: container_of(o, "Job")["resources"]["limits"].pop("memory")],
    "has_no_secret_in_its_environment": [
        lambda o: container_of(o)["env"].append({"name": "HOOKLINE_AMQP_URL", "value": "amqp://"}),
        lambda o: container_of(o)["env"].append({"name": "X", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}),
    ],
    "keeps_secrets_from_others": [lambda o: pod_of(o)["volumes"][0]["projected"].pop("defaultMode")],
    "services_are_probed": [
        lambda o: container_of(o).pop("livenessProbe"),
        lambda o: container_of(o)["readinessProbe"]["httpGet"].update(path="/healthz"),
        lambda o: container_of(o)["readinessProbe"]["httpGet"].update(port="web"),
    ],
    "stops_have_time": [
        lambda o: [d for d in o if d["kind"] == "Deployment"][1]["spec"]["template"]["spec"].update(terminationGracePeriodSeconds=30),
        lambda o: [d for d in o if d["kind"] == "Deployment"][1]["spec"]["template"]["spec"]["containers"][0]["env"].append(
            {"name": "HOOKLINE_REQUEST_TIMEOUT", "value": "1m"}),
    ],
    "evictions_are_bounded": [
        lambda o: o.remove(first(o, "PodDisruptionBudget")),
        lambda o: first(o, "PodDisruptionBudget")["spec"].update(maxUnavailable=0),
    ],
    "replicas_are_spread": [lambda o: pod_of(o)["topologySpreadConstraints"].pop()],
    "selectors_select": [
        lambda o: first(o, "Service")["spec"]["selector"].update({"app.kubernetes.io/component": "receiver"}),
        lambda o: first(o, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"].update(name="x"),
    ],
    "metrics_stay_inside": [
        lambda o: next(f for f in o if f["kind"] == "Service" and f["metadata"]["name"].endswith("-dispatcher"))["spec"].update(
            type="LoadBalancer"),
        lambda o: [d for d in o if d["kind"] == "Deployment"][1]["spec"]["template"]["spec"]["containers"][0]["ports"].append(
            {"name": "admin", "containerPort": 9000}),
    ],
    "one_decides_how_many": [lambda o: [d for d in o if d["kind"] == "Deployment"][1]["spec"].update(replicas=2)],
    "keda_counts_what_is_in_hand": [lambda o: o.append({"kind": "ScaledObject", "metadata": {"name": "x"}, "spec": {
        "triggers": [{"metadata": {"protocol": "amqp", "mode": "QueueLength"}}]}})],
    "nobody_may_ask_the_api_server": [
        lambda o: o.append({"kind": "Role", "metadata": {"name": "x"}}),
        lambda o: first(o, "ServiceAccount").pop("automountServiceAccountToken"),
    ],
    "no_secret_is_made": [lambda o: o.append({"kind": "Secret", "metadata": {"name": "x"}})],
}


def judge(objects):
    """All faults."""
    return [f"{rule.__name__}: {fault}" for rule in RULES for fault in rule(objects)]


def unfound(objects):
    """Mistakes that the rule for them does not find in objects that are right."""
    left = [rule.__name__ for rule in RULES if not MISTAKES.get(rule.__name__)]
    for rule in RULES:
        for number, mistake in enumerate(MISTAKES.get(rule.__name__, [])):
            wrong = copy.deepcopy(objects)
            mistake(wrong)
            if not rule(wrong):
                left.append(f"{rule.__name__}, mistake {number + 1}")
    return left
