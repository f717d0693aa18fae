"""Objects against the schemas of Kubernetes, and of the operators whose schemas can be had as packages."""

import kubernetes_validate
import pydantic
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus

# The oldest that the chart takes, and the newest that there are schemas of.
VERSIONS = ("1.30", "1.37")
CUSTOM = {
    ("keda.sh/v1alpha1", "ScaledObject"): keda.ScaledObject,
    ("keda.sh/v1alpha1", "TriggerAuthentication"): keda.TriggerAuthentication,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): prometheus.ServiceMonitor,
    ("monitoring.coreos.com/v1", "PrometheusRule"): prometheus.PrometheusRule,
}


def judge(found):
    """Faults of one object; None where there is no schema for it."""
    kind = (found["apiVersion"], found["kind"])
    if kind in CUSTOM:
        try:
            # What the schema does not know is dropped by an API server without a word: here it is a fault.
            CUSTOM[kind].model_validate(found, extra="forbid")
        except pydantic.ValidationError as error:
            return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        return []
    if "." in found["apiVersion"].split("/")[0] and not found["apiVersion"].split("/")[0].endswith(".k8s.io"):
        return None
    faults = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(found, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            faults.append(f"{version}: {'.'.join(map(str, error.path))}: {error.message}")
    return faults
