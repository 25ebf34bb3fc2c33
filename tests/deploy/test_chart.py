"""The chart is legal, safe, describes every value, and sets only what the daemon knows."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from riskstream import __version__
from riskstream.cli import cli
from riskstream.core.errors import OperatorError
from riskstream.settings import load
from tests.deploy.charts import CASES, CHART, KUBERNETES, helm, render, values_of
from tests.deploy.policy import Manifest, pod_specs, wrong

pytestmark = pytest.mark.helm

CRDS = Path(__file__).parents[1] / "testdata" / "crds"
STAGES = ("score", "watch", "serve")


def test_the_chart_is_of_this_version() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == __version__


@functools.cache
def rendered(case: str) -> tuple[Manifest, ...]:
    return tuple(render(*values_of(case)))


def of_kind(manifests: tuple[Manifest, ...] | list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


@pytest.mark.parametrize("case", CASES)
def test_helm_finds_nothing_to_say(case: str) -> None:
    done = helm("lint", "--strict", "--kube-version", KUBERNETES, str(CHART), *values_of(case))
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("version", [KUBERNETES, kubernetes_validate.latest_version()])
def test_every_manifest_is_legal(case: str, version: str) -> None:
    manifests = rendered(case)
    assert len(manifests) >= 11
    for manifest in manifests:
        crd = CRDS / f"{manifest['kind']}.json"
        if crd.exists():
            jsonschema.validate(manifest, json.loads(crd.read_text()))
        else:
            kubernetes_validate.validate(manifest, version.rpartition(".")[0], strict=True)


@pytest.mark.parametrize("case", CASES)
def test_every_manifest_keeps_the_policy(case: str) -> None:
    manifests = rendered(case)
    assert {name.split("/")[0] for name, _ in pod_specs(manifests)} >= {"Deployment", "Job"}
    assert wrong(manifests) == []


POD_PARTS = [
    ("securityContext",),
    ("securityContext", "runAsNonRoot"),
    ("securityContext", "runAsUser"),
    ("securityContext", "seccompProfile"),
    ("automountServiceAccountToken",),
    ("enableServiceLinks",),
    ("containers", 0, "securityContext"),
    ("containers", 0, "securityContext", "readOnlyRootFilesystem"),
    ("containers", 0, "securityContext", "allowPrivilegeEscalation"),
    ("containers", 0, "securityContext", "capabilities"),
    ("containers", 0, "resources"),
    ("containers", 0, "resources", "limits"),
    ("containers", 0, "resources", "limits", "memory"),
    ("containers", 0, "resources", "requests", "cpu"),
    ("containers", 0, "volumeMounts"),
    ("volumes", 0, "emptyDir", "sizeLimit"),
]
STAGE_PARTS = [
    ("containers", 0, "startupProbe"),
    ("containers", 0, "livenessProbe"),
    ("containers", 0, "readinessProbe"),
    ("terminationGracePeriodSeconds",),
    ("topologySpreadConstraints",),
    ("affinity",),
]


def parts_to_lose() -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Every workload of the hardened case beside every part that it must have."""
    workloads = [*(f"Deployment/desk-riskstream-{stage}" for stage in STAGES), "Job/desk-riskstream-topics"]
    for workload in [*workloads, "CronJob/desk-riskstream-trainer"]:
        stage_parts = STAGE_PARTS if workload.startswith("Deployment/") else []
        yield from ((workload, part) for part in [*POD_PARTS, *stage_parts])


@pytest.mark.parametrize(("workload", "part"), list(parts_to_lose()), ids=lambda value: ".".join(map(str, value))[-60:])
def test_a_pod_that_lacks_any_of_its_parts_is_told(workload: str, part: tuple[str | int, ...]) -> None:
    manifests = copy.deepcopy(rendered("hardened"))
    holder: Any = dict(pod_specs(manifests))[workload]
    for step in part[:-1]:
        holder = holder[step]
    del holder[part[-1]]
    assert any(told.startswith(workload) for told in wrong(manifests))


@pytest.mark.parametrize(
    ("workload", "volume"),
    [
        ("Job/desk-riskstream-topics", {"name": "http", "secret": {"secretName": "riskstream-http"}}),
        ("Job/desk-riskstream-topics", {"name": "models", "persistentVolumeClaim": {"claimName": "riskstream-models"}}),
        ("CronJob/desk-riskstream-trainer", {"name": "tracing", "secret": {"secretName": "riskstream-tracing"}}),
    ],
)
def test_a_job_that_mounts_what_it_does_not_need_is_told(workload: str, volume: Manifest) -> None:
    manifests = copy.deepcopy(rendered("hardened"))
    dict(pod_specs(manifests))[workload]["volumes"].append(volume)
    (lack,) = wrong(manifests)
    assert lack.startswith(f"{workload}: mounts")


def test_each_pod_mounts_the_secrets_that_it_needs_and_no_others() -> None:
    mounted = {
        name.partition("/desk-riskstream-")[2]: {volume["name"] for volume in pod["volumes"] if "secret" in volume}
        for name, pod in pod_specs(rendered("hardened"))
    }
    stage = {"kafka", "ca", "http", "tracing"}
    jobs = {"kafka", "ca"}
    assert mounted == {"score": stage, "watch": stage, "serve": stage, "topics": jobs, "trainer": jobs}


@pytest.mark.parametrize("kind", ["PodDisruptionBudget", "Service"])
def test_a_stage_without_its_companions_is_told(kind: str) -> None:
    assert wrong([manifest for manifest in rendered("default") if manifest["kind"] != kind])


@pytest.mark.parametrize("case", CASES)
def test_the_daemon_takes_the_environment_that_the_chart_sets(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, pod in pod_specs(rendered(case)):
        container = pod["containers"][0]
        with monkeypatch.context() as patch:
            for variable in container["env"]:
                patch.setenv(variable["name"], variable.get("value", "2"))
            settings = load(None)
        command, *rest = container["args"]
        assert command in cli.commands
        if command == "run":
            assert settings.http.host == "0.0.0.0"
            assert rest[1] in name
            assert settings.stages.grace_ms < 1000 * pod["terminationGracePeriodSeconds"]


def test_the_files_of_a_values_file_reach_the_pod_and_other_settings_roll_it() -> None:
    hardened = rendered("hardened")
    data = next(m["data"] for m in of_kind(hardened, "ConfigMap") if m["metadata"]["name"] == "desk-riskstream")
    assert {"riskstream.toml", "rules.toml", "watchlist.csv"} == data.keys()
    assert data["riskstream.toml"].startswith("[[feed]]\n")
    pods = [m["spec"]["template"] for m in of_kind(hardened, "Deployment")]
    ruled = render(*values_of("hardened"), "--set", "config.rules=[[rule]]", "--set", "config.watchlist=id\\,name")
    assert [m["spec"]["template"] for m in of_kind(ruled, "Deployment")] == pods, "pods follow these files as they run"
    mounts = [mount for pod in pods for container in pod["spec"]["containers"] for mount in container["volumeMounts"]]
    assert [mount for mount in mounts if "subPath" in mount] == [], (
        "the platform never changes a file that is mounted so"
    )
    other = render(*values_of("hardened"), "--set", "config.settings=[log]")
    sums = [
        {m["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for m in of_kind(which, "Deployment")}
        for which in (hardened, other)
    ]
    assert [len(one) for one in sums] == [1, 1]
    assert sums[0] != sums[1]


def test_a_gpu_pod_asks_for_its_device_and_never_falls_back_to_a_cpu() -> None:
    pods = dict(pod_specs(rendered("gpu")))
    score = pods["Deployment/desk-riskstream-score"]["containers"][0]
    assert score["resources"]["limits"] == {"memory": "12Gi", "nvidia.com/gpu": 1}
    assert score["image"].endswith("-cuda")
    assert {"name": "RISKSTREAM_MODELS__DEVICE", "value": "cuda"} in score["env"]
    assert not pods["Deployment/desk-riskstream-watch"]["containers"][0]["image"].endswith("-cuda")


def test_the_keys_of_who_may_vouch_for_a_model_reach_every_pod_that_loads_one() -> None:
    pods = dict(pod_specs(rendered("hardened")))
    container = pods["Deployment/desk-riskstream-score"]["containers"][0]
    (file,) = [Path(v["value"]) for v in container["env"] if v["name"] == "RISKSTREAM_MODELS__SIGNERS_FILE"]
    (mount,) = [m for m in container["volumeMounts"] if m["mountPath"] == str(file.parent)]
    (volume,) = [v for v in pods["Deployment/desk-riskstream-score"]["volumes"] if v["name"] == mount["name"]]
    assert volume["configMap"] == {"name": "riskstream-signers", "items": [{"key": "signers.pem", "path": file.name}]}


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("https://otel.example/v1/traces", 443), ("http://otel/v1/traces", 80), ("http://otel:4318/v1/traces", 4318)],
)
def test_a_collector_is_reached_through_closed_egress(endpoint: str, port: int) -> None:
    manifests = render("--set", f"networkPolicy.restrictEgress=true,tracing.endpoint={endpoint}")
    (policy,) = of_kind(manifests, "NetworkPolicy")
    _, brokers = policy["spec"]["egress"]
    assert [one["port"] for one in brokers["ports"]] == [9092, port]


@pytest.mark.parametrize(
    ("kind", "wanted"), [("none", set()), ("hpa", {"HorizontalPodAutoscaler"}), ("keda", {"ScaledObject"})]
)
def test_one_value_chooses_what_scales(kind: str, wanted: set[str]) -> None:
    manifests = render("--set", f"autoscaling.kind={kind}")
    scalers = [m for m in manifests if m["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")]
    assert {m["kind"] for m in scalers} == wanted
    assert len(scalers) == 2 * len(wanted)
    replicas = {m["metadata"]["name"]: m["spec"].get("replicas") for m in of_kind(manifests, "Deployment")}
    assert replicas["desk-riskstream-serve"] == 2
    assert (replicas["desk-riskstream-score"] is None) is bool(wanted)
    most = {m["metadata"]["name"]: m["spec"].get("maxReplicas", m["spec"].get("maxReplicaCount")) for m in scalers}
    assert most == ({"desk-riskstream-score": 8, "desk-riskstream-watch": 12} if wanted else {})


@pytest.mark.parametrize("case", ["default", "gpu", "hardened"])
def test_a_group_at_rest_is_not_scaled_up_by_control_records(case: str) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    writers, partitions = values["score"]["partitions"], values["watch"]["partitions"]
    at_rest = {"score": writers, "watch": writers * partitions}
    for stage, left in at_rest.items():
        assert left < values["autoscaling"][stage]["lagPerPod"] / 10
    for scaler in of_kind(rendered(case), "ScaledObject"):
        assert all(int(trigger["metadata"]["lagThreshold"]) >= 2000 for trigger in scaler["spec"]["triggers"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("score.replcas=3", "replcas"),
        ("kafka.bootstrapServers=kafka", "bootstrapServers"),
        ("score.resources.limits=null", "limits"),
        ("autoscaling.kind=keda,autoscaling.score.max=9", "score.partitions = 8"),
        ("kafka.securityProtocol=SASL_SSL", "is needed where kafka.securityProtocol begins with SASL"),
        ("trainer.enabled=true", "needs registry.claim or registry.url"),
        ("terminationGraceSeconds=10", "terminationGraceSeconds"),
    ],
)
def test_a_wrong_value_stops_the_install_and_is_named(arguments: str, told: str) -> None:
    done = helm("template", "desk", str(CHART), "--kube-version", KUBERNETES, "--set", arguments)
    assert done.returncode != 0
    assert told in done.stderr


def described(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """(path, description) of every value that a schema knows by name."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}{name}", inner.get("description", "")
        yield from described(inner, f"{path}{name}.")


def named(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, inner in values.items():
        yield f"{path}{name}"
        if isinstance(inner, dict):
            yield from named(inner, f"{path}{name}.")


def test_every_value_is_described() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    known = dict(described(schema))
    free = ("resources.", "podSecurityContext.", "securityContext.", "labels.", "networkPolicy.from")
    there = {path for path in named(values) if not any(f"{word}" in path for word in free)}
    assert len(there) >= 80
    assert there <= known.keys()
    assert {path for path, text in known.items() if not re.search(r"\w.*\.$", text)} == set()
    unused = {path for path in known if path not in set(named(values))} - {"global"}
    assert unused == set()


def test_the_settings_that_the_example_mounts_are_sound(tmp_path: Path) -> None:
    data = next(m["data"] for m in of_kind(rendered("hardened"), "ConfigMap") if "rules.toml" in m["data"])
    (tmp_path / "riskstream.toml").write_text(data["riskstream.toml"])
    assert [feed.name for feed in load(tmp_path / "riskstream.toml").feed] == ["wires"]
    (tmp_path / "riskstream.toml").write_text("[[feed]]\nnaem = 1\n")
    with pytest.raises(OperatorError):
        load(tmp_path / "riskstream.toml")
