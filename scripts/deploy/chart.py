"""The Helm chart, rendered as Helm does it, and what else is told of it to all checks."""

import glob
import os

import helm_python
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHART = os.path.join(ROOT, "deploy/helm/hookline")
RELEASE = "hookline"


def read(path):
    """A file of the checkout."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def render_texts(values, chart=CHART):
    """Name of a template -> its text; NOTES.txt among them. Raises helm_python.HelmError for values that are refused."""
    loaded = helm_python.Chart.load(chart)
    try:
        loaded.validate_schema(values)
        texts = loaded.render(values, name=RELEASE, namespace=RELEASE)
    finally:
        loaded.close()
    return {name.removeprefix("hookline/templates/"): text for name, text in texts.items()}


def objects_of(text):
    """The objects in a text of YAML documents."""
    return [document for document in yaml.safe_load_all(text) if document]


def render(values):
    """The objects that the chart makes of values."""
    texts = render_texts(values)
    return [found for name, text in sorted(texts.items()) if name != "NOTES.txt" for found in objects_of(text)]


def value_sets():
    """Name -> values, for each file that must render."""
    return {os.path.basename(path).removesuffix("-values.yaml"): yaml.safe_load(read(path)) or {} for path in sorted(
        glob.glob(os.path.join(CHART, "ci/*-values.yaml")))}


def refused_sets():
    """Name -> (values, what the refusal must say), for each file that must not render."""
    found = {}
    for path in sorted(glob.glob(os.path.join(CHART, "ci/refused/*.yaml"))):
        text = read(path)
        found[os.path.basename(path)] = (yaml.safe_load(text), text.splitlines()[0].removeprefix("# error: "))
    return found


def named(found):
    """An object, for messages."""
    return f"{found['kind']}/{found['metadata']['name']}"


def pods(objects):
    """(name, pod template) of whatever makes pods, and of pods."""
    for found in objects:
        if found["kind"] == "Pod":
            yield named(found), found
        elif found["kind"] in ("Deployment", "Job", "StatefulSet", "DaemonSet"):
            yield named(found), found["spec"]["template"]


def only(objects, kind, ending=""):
    """The one object of that kind whose name has that ending."""
    found = [one for one in objects if one["kind"] == kind and one["metadata"]["name"].endswith(ending)]
    assert len(found) == 1, f"{len(found)} objects of kind {kind} end in {ending!r}"
    return found[0]
