"""What every manifest of ours must have, as functions from manifests to what is wrong with them.

    helm template ─► manifests ─► wrong(manifests) ─► ["Deployment/x: no livenessProbe", …]

A schema says that a manifest is legal; this says that it is fit to sleep beside. `test_chart.py` takes parts away, one
by one, and each absence is told here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Manifest = dict[str, Any]

PROBES = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
REBALANCE_MS, PRE_STOP_S = 20_000, 3


def pod_specs(manifests: Iterable[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """(kind/name, pod spec) of every manifest that makes pods."""
    for manifest in manifests:
        spec = manifest.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield f"{manifest['kind']}/{manifest['metadata']['name']}", spec["template"]["spec"]


def wrong(manifests: Iterable[Manifest]) -> list[str]:
    """Everything that these manifests lack."""
    manifests = list(manifests)
    told = [f"{name}: {lack}" for name, pod in pod_specs(manifests) for lack in _of_pod(name, pod)]
    return told + list(_of_release(manifests))


def _of_pod(name: str, pod: Manifest) -> Iterator[str]:
    security = pod.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or not security.get("runAsUser"):
        yield "may run as root"
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "no seccomp profile"
    if pod.get("automountServiceAccountToken") is not False:
        yield "mounts a token of the cluster"
    if pod.get("enableServiceLinks") is not False:
        yield "a Service may write into its environment"
    if pod.get("hostNetwork") or pod.get("hostPID") or any("hostPath" in volume for volume in pod["volumes"]):
        yield "reaches into its node"
    for volume in pod["volumes"]:
        if "emptyDir" in volume and not volume["emptyDir"].get("sizeLimit"):
            yield f"the emptyDir {volume['name']} has no limit"
    for container in pod["containers"]:
        yield from _of_container(container)
    if name.startswith("Deployment/"):
        yield from _of_stage(pod)
    else:
        yield from _of_job(pod)


def _of_container(container: Manifest) -> Iterator[str]:
    security = container.get("securityContext", {})
    if security.get("readOnlyRootFilesystem") is not True:
        yield "its root can be written"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "it may gain rights"
    if security.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "it has capabilities"
    resources = container.get("resources", {})
    if "memory" not in resources.get("limits", {}):
        yield "no limit of memory"
    for resource in ("cpu", "memory"):
        if resource not in resources.get("requests", {}):
            yield f"no request of {resource}"
    if "/tmp" not in {mount["mountPath"] for mount in container.get("volumeMounts", ())}:
        yield "nowhere to write"
    _, _, tag = container["image"].rpartition(":")
    if tag in ("", "latest") or "/" in tag:
        yield "an image without a version"
    for variable in container.get("env", ()):
        secret = any(word in variable["name"] for word in ("PASSWORD", "TOKEN", "SECRET"))
        if secret and not variable.get("value", "").startswith("/etc/riskstream-secrets/"):
            yield f"{variable['name']} is no reference"


def _of_stage(pod: Manifest) -> Iterator[str]:
    container = pod["containers"][0]
    for probe, path in PROBES.items():
        if container.get(probe, {}).get("httpGet", {}).get("path") != path:
            yield f"no {probe} on {path}"
    grace_ms = 1000 * pod.get("terminationGracePeriodSeconds", 0)
    told = {variable["name"]: variable.get("value") for variable in container["env"]}
    asked_ms = int(told.get("RISKSTREAM_STAGES__GRACE_MS") or 0)
    if not REBALANCE_MS < asked_ms <= grace_ms - 1000 * PRE_STOP_S:
        yield "its grace does not fit the drain deadline"
    if not pod.get("topologySpreadConstraints"):
        yield "it is not spread"
    if not pod.get("affinity", {}).get("podAntiAffinity"):
        yield "its pods do not keep apart"


def _of_job(pod: Manifest) -> Iterator[str]:
    """A job speaks with Kafka and serves nobody: the secrets of the port and of the collector are not its business."""
    for volume in pod["volumes"]:
        if "secret" in volume and volume["name"] not in ("kafka", "ca"):
            yield f"mounts the secret {volume['name']}, which it does not need"
    topics = pod["containers"][0]["args"][0] == "topics"
    if topics and any("persistentVolumeClaim" in volume for volume in pod["volumes"]):
        yield "mounts models, which it does not need"
    if topics and pod["containers"][0].get("envFrom"):
        yield "has environment from elsewhere, which it does not need"


def _of_release(manifests: list[Manifest]) -> Iterator[str]:
    guarded = [_selector(manifest) for manifest in manifests if manifest["kind"] == "PodDisruptionBudget"]
    reached = [_selector(manifest) for manifest in manifests if manifest["kind"] == "Service"]
    for manifest in manifests:
        if manifest["kind"] != "Deployment":
            continue
        labels = manifest["spec"]["template"]["metadata"]["labels"]
        for what, selectors in {"PodDisruptionBudget": guarded, "Service": reached}.items():
            if sum(selector.items() <= labels.items() for selector in selectors) != 1:
                yield f"Deployment/{manifest['metadata']['name']}: not exactly one {what}"
        if "checksum/config" not in manifest["spec"]["template"]["metadata"]["annotations"]:
            yield f"Deployment/{manifest['metadata']['name']}: does not roll with its configuration"


def _selector(manifest: Manifest) -> dict[str, str]:
    selector = manifest["spec"]["selector"]
    return dict(selector.get("matchLabels", selector))
