"""Writes what is made of other files: the chart's copies of rules and dashboards, and deploy/k8s of the chart.

With --check it writes nothing, and says what would change."""

import glob
import os
import sys

import yaml

from chart import CHART, ROOT, read, render_texts

# What a chart says of itself, and means nothing without Helm.
OF_HELM = ("helm.sh/chart:", "app.kubernetes.io/managed-by:")
HEAD = "# Made of deploy/helm/hookline with deploy/k8s/values.yaml by `make render-deploy`: change those.\n"


def copies():
    """Path -> text, of what the chart takes from elsewhere; a chart cannot read outside of itself."""
    made = {}
    if os.path.exists(os.path.join(ROOT, "deploy/prometheus/rules.yaml")):
        made["deploy/helm/hookline/files/rules.yaml"] = read("deploy/prometheus/rules.yaml")
    for path in sorted(glob.glob(os.path.join(ROOT, "deploy/grafana/*.json"))):
        made[f"deploy/helm/hookline/files/dashboards/{os.path.basename(path)}"] = read(path)
    return made


def plain():
    """Path -> text, of deploy/k8s."""
    made = {}
    for name, text in sorted(render_texts(yaml.safe_load(read("deploy/k8s/values.yaml"))).items()):
        # Hooks are Helm's, NOTES.txt is for people.
        if name.startswith("tests/") or name == "NOTES.txt" or not text.strip():
            continue
        lines = [line for line in text.strip().removeprefix("---\n").splitlines()
                 if line.strip() and not line.strip().startswith(OF_HELM)]
        made[f"deploy/k8s/{name}"] = HEAD + "\n".join(lines) + "\n"
    made["deploy/k8s/kustomization.yaml"] = (
        HEAD + "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: hookline\nresources:\n  - namespace.yaml\n"
        + "".join(f"  - {path.removeprefix('deploy/k8s/')}\n" for path in sorted(made)))
    return made


def stale(made):
    """Paths whose file is not what it should be, and files that nothing makes any more."""
    left = [path for path, text in made.items() if not os.path.exists(os.path.join(ROOT, path)) or read(path) != text]
    by_hand = {"deploy/k8s/values.yaml", "deploy/k8s/namespace.yaml"}
    for folder in ("deploy/k8s/*", "deploy/helm/hookline/files/dashboards/*"):
        for path in glob.glob(os.path.join(ROOT, folder)):
            name = os.path.relpath(path, ROOT)
            if name not in made and name not in by_hand:
                left.append(f"{name} (nothing makes it)")
    return left


def write(made):
    for path, text in made.items():
        os.makedirs(os.path.dirname(os.path.join(ROOT, path)), exist_ok=True)
        with open(os.path.join(ROOT, path), "w", encoding="utf-8") as file:
            file.write(text)


def main():
    if "--check" in sys.argv:
        left = stale({**copies(), **plain()})
        print("\n".join(left))
        sys.exit(1 if left else 0)
    # The copies first: they are parts of the chart.
    write(copies())
    write(plain())


assert os.path.isdir(CHART)
if __name__ == "__main__":
    main()
