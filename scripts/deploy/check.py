"""Renders the chart with every set of values, and judges what comes out. Exit 1 where anything is wrong.

Prints a line for each check, NOT RUN for what cannot be judged here, and at the end how many there were."""

import os
import sys

import helm_python
import yaml

import compose_file
import dockerfile
import networks
import policies
import render
import schemas
from chart import CHART, ROOT, named, objects_of, read, refused_sets, render as render_chart, render_texts, value_sets

passed, failed, not_run = [], [], []


def check(name, faults):
    """A check that has found these faults."""
    if faults:
        failed.append(name)
        print(f"FAILED   {name}")
        for fault in faults:
            print(f"           {fault}")
    else:
        passed.append(name)
        print(f"ok       {name}")


def skip(name, why):
    not_run.append(name)
    print(f"NOT RUN  {name}: {why}")


def lint():
    report = helm_python.lint(CHART, strict=True)
    return [f"{one['path']}: {one['error']}" for one in report["messages"] if one["severity"] > 1] + report["errors"]


def against_schemas(objects, unknown):
    faults = []
    for found in objects:
        told = schemas.judge(found)
        if told is None:
            unknown.add(f"{found['apiVersion']} {found['kind']}")
        else:
            faults += [f"{named(found)}: {fault}" for fault in told]
    return faults


def schemas_find(objects):
    """Whether a field that does not exist is found, in an object of Kubernetes and in one of an operator."""
    left = []
    for kind in ("Deployment", "NetworkPolicy", "ScaledObject", "ServiceMonitor"):
        wrong = next(found for found in objects if found["kind"] == kind)
        wrong["spec"]["noSuchField"] = 1
        if not schemas.judge(wrong):
            left.append(f"a field of {kind} that does not exist")
    return left


def chart():
    check("helm lint", lint())
    unknown = set()
    for name, values in value_sets().items():
        try:
            objects = render_chart(values)
        except (helm_python.HelmError, yaml.YAMLError) as error:
            check(f"{name}: renders", [str(error)])
            continue
        texts = render_texts(values)
        check(f"{name}: renders, with notes", [] if "helm test hookline" in texts["NOTES.txt"] else ["NOTES.txt says nothing"])
        check(f"{name}: the schemas of Kubernetes {' and '.join(schemas.VERSIONS)} and of the operators", against_schemas(objects, unknown))
        check(f"{name}: {len(policies.RULES)} policies", policies.judge(objects))
        check(f"{name}: who may come in", networks.judge_doors(objects))
        settings = {**values.get("settings", {}), **values.get("dispatcher", {}).get("settings", {})}
        if "HOOKLINE_EGRESS_PROXY" in settings:
            labels = networks.labels_of(objects, "dispatcher")
            check(f"{name}: out through the proxy alone", [f"{one} is reached" for one in ("93.184.216.34", "2606:2800:220:1::1")
                  if networks.may_reach(objects, labels, one, 443)] + ([] if networks.may_reach(
                      objects, labels, "10.9.0.5", 3128) else ["the proxy is not reached"]))
        elif "HOOKLINE_ALLOW_CIDRS" in settings:
            check(f"{name}: networks that are allowed, refused and of our own", own_networks(objects))
        else:
            check(f"{name}: the guard's networks are closed to dispatchers", networks.judge_guard(objects))
            if values.get("console", {}).get("settings", {}).get("HOOKLINE_CERTIFY") == "on":
                check(f"{name}: and to consoles", networks.judge_guard(objects, component="console"))
    for name, (values, told) in refused_sets().items():
        try:
            render_texts(values)
            check(f"refused: {name}", ["it renders"])
        except helm_python.HelmError as error:
            check(f"refused: {name}", [] if told in str(error) else [str(error)])
    everything, default = render_chart(value_sets()["everything"]), render_chart({})
    check("a mistake against each policy is found", policies.unfound(default))
    check("holes in the network are found", networks.unfound(default))
    check("fields that do not exist are found", schemas_find(everything))
    check("monitoring takes what is there", monitoring(everything))
    if unknown:
        skip("schemas of " + ", ".join(sorted(unknown)), "no package has them")


def own_networks(objects):
    """The set `networks`: what it allows, refuses besides, and where its broker and database are."""
    labels = networks.labels_of(objects, "dispatcher")
    open_ones = [("10.20.3.4", 443), ("10.20.3.4", 80), ("10.30.0.7", 8443), ("fd00:1::5", 443), ("10.1.2.9", 5671), ("10.1.3.4", 6432), ("1.1.1.1", 80)]
    closed = [("10.21.0.1", 443), ("10.30.0.8", 443), ("8.8.8.8", 443), ("9.9.9.9", 443), ("2600::1", 443), ("10.1.2.9", 443), ("10.20.3.4", 22),
              ("169.254.169.254", 80), ("10.1.3.4", 5432)]
    return [f"{address} port {port} is closed" for address, port in open_ones if not networks.may_reach(objects, labels, address, port)] + [
        f"{address} port {port} is open" for address, port in closed if networks.may_reach(objects, labels, address, port)]


def monitoring(objects):
    """Rules and dashboards of deploy/ are in the chart's objects, as they are."""
    faults = []
    path = "deploy/prometheus/rules.yaml"
    rules = [found["spec"] for found in objects if found["kind"] == "PrometheusRule"]
    wanted = [yaml.safe_load(read(path))] if os.path.exists(os.path.join(ROOT, path)) else []
    if rules != wanted:
        faults.append(f"the PrometheusRule is not {path}")
    folder = os.path.join(ROOT, "deploy/grafana")
    names = [name for name in os.listdir(folder) if name.endswith(".json")] if os.path.isdir(folder) else []
    boards = {name: text for found in objects if found["kind"] == "ConfigMap" for name, text in found["data"].items()}
    for name in names:
        if yaml.safe_load(boards.pop(name, "null")) != yaml.safe_load(read(f"deploy/grafana/{name}")):
            faults.append(f"no ConfigMap has {name} as it is")
    return faults + [f"a ConfigMap has {name}, and nothing else has" for name in boards]


def plain_manifests():
    left = render.stale({**render.copies(), **render.plain()})
    check("deploy/k8s and the chart's copies are up to date (make render-deploy)", left)
    objects, unknown = [], set()
    listed = yaml.safe_load(read("deploy/k8s/kustomization.yaml"))["resources"]
    for name in listed:
        objects += objects_of(read(f"deploy/k8s/{name}"))
    check("deploy/k8s: the schemas", against_schemas(objects, unknown) + [f"no schema for {one}" for one in unknown])
    check("deploy/k8s: policies, who may come in, the guard's networks",
          policies.judge(objects) + networks.judge_doors(objects) + networks.judge_guard(objects))
    namespace = next(found for found in objects if found["kind"] == "Namespace")
    levels = {value for key, value in namespace["metadata"]["labels"].items() if key.startswith("pod-security.kubernetes.io/")}
    check("deploy/k8s: the namespace is restricted", [] if levels == {"restricted"} else [str(levels)])


def examples():
    """What the examples of brokers and databases make is what the chart's values beside them name."""
    unknown, objects = set(), []
    for name in sorted(os.listdir(os.path.join(ROOT, "deploy/examples"))):
        if not name.endswith("-values.yaml"):
            objects += objects_of(read(f"deploy/examples/{name}"))
    check("examples: the schemas", against_schemas(objects, unknown))
    if unknown:
        skip("examples: the schemas of " + ", ".join(sorted(unknown)), "no package has them")
    values = yaml.safe_load(read("deploy/examples/hookline-values.yaml"))
    rendered = render_chart(values)
    check("examples: the chart with the values beside them", policies.judge(rendered) + networks.judge_guard(rendered))
    made = {found["metadata"]["name"]: found for found in objects}
    faults = []
    advanced = made["rabbitmq"]["spec"]["rabbitmq"]["advancedConfig"]
    ours = " ".join(line for line in read("scripts/broker/advanced.config").splitlines() if not line.startswith("%"))
    if advanced.split() != ours.split():
        faults.append("the broker's advancedConfig is not that of scripts/broker/advanced.config")
    if made["rabbitmq"]["spec"]["replicas"] != 3:
        faults.append("the broker has not three nodes")
    if values["scaling"]["mode"] != "keda":
        faults.append("the values do not scale by the broker")
    check("examples: three nodes, and the settings that the topology needs", faults)


def main():
    chart()
    plain_manifests()
    examples()
    for name, faults in compose_file.checks(skip):
        check(name, faults)
    for name, faults in dockerfile.checks():
        check(name, faults)
    print(f"{len(passed)} passed, {len(failed)} failed, {len(not_run)} not run")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
