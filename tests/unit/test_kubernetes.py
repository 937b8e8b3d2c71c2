"""The manifests of deploy/kubernetes keep what operations promise: bounded, watched, closed, and no secret in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from typer.main import get_command

from adapters.settings import Settings, load_settings
from deploy.cli import command_line

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
COMPONENT = "app.kubernetes.io/component"
LONG_RUNNING = {"gateway", "worker", "archiver", "privacy"}
PUSH = "HOTBASKET_BATCH_PUSH_GATEWAY"
CLAIM = {"claimName": "warehouse"}
KEYS = {"HOTBASKET_SUBSCRIPTION_SECRET", "HOTBASKET_IDENTITY_SECRET"}
SECRETS = {
    f"HOTBASKET_{name.upper()}" for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)
}
Json = dict[str, Any]


class Pod(NamedTuple):
    """What one object of the cluster starts, with its one container."""

    component: str
    owner: Json
    spec: Json
    container: Json

    def __str__(self) -> str:
        """The object's name, which names the test."""
        return str(self.owner["metadata"]["name"])

    @property
    def variables(self) -> dict[str, Json]:
        """Its own variables, by name."""
        return {one["name"]: one for one in self.container.get("env", ())}


@cache
def objects() -> list[Json]:
    """Every object that the kustomization applies."""
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    return [one for name in listed for one in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))]


def of(kind: str) -> dict[str, Json]:
    """The objects of one kind, by name."""
    return {one["metadata"]["name"]: one for one in objects() if one["kind"] == kind}


def pods() -> Iterator[Pod]:
    """Every pod that is started."""
    for one in objects():
        spec = one.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template is not None:
            (container,) = template["spec"]["containers"]
            yield Pod(template["metadata"]["labels"][COMPONENT], one, template["spec"], container)


each_pod = pytest.mark.parametrize("pod", list(pods()), ids=str)


def test_every_file_is_applied() -> None:
    """No manifest lies beside the kustomization unused, and each object names its namespace."""
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    assert {path.name for path in FOLDER.glob("*.yaml")} == {*listed, "kustomization.yaml"}
    homeless = [one for one in objects() if one["kind"] != "Namespace" and "namespace" not in one["metadata"]]
    assert [] == homeless


@each_pod
def test_a_pod_may_do_little(pod: Pod) -> None:
    """Not root, no new rights, no capability, no writing but into volumes, no word with the cluster."""
    assert (False, False) == (pod.spec["automountServiceAccountToken"], pod.spec["enableServiceLinks"])
    context = pod.spec["securityContext"]
    assert (True, 10_001, "RuntimeDefault") == (
        context["runAsNonRoot"],
        context["runAsUser"],
        context["seccompProfile"]["type"],
    )
    expected = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    for container in (pod.container, *pod.spec.get("initContainers", ())):
        assert expected == container["securityContext"]


@each_pod
def test_a_pod_is_bounded_and_pinned(pod: Pod, checkout: Path) -> None:
    """Each asks for processor and memory, has a bound of memory, an end in time, and the image of this version."""
    containers = [pod.container, *pod.spec.get("initContainers", ())]
    for resources in (container["resources"] for container in containers):
        assert ({"cpu", "memory"}, {"memory"}) == (resources["requests"].keys(), resources["limits"].keys())
    assert pod.spec["terminationGracePeriodSeconds"] >= 30
    version = re.search(r"^version = (.*)$", (checkout / "setup.cfg").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert version is not None
    image = "hotbasket-batch" if pod.component == "batch" else "hotbasket-live"
    assert {f"{image}:{version[1]}"} == {container["image"] for container in containers}


@each_pod
def test_what_runs_for_long_is_watched_and_what_ends_is_bounded(pod: Pod) -> None:
    """Long-running pods have probes and a disruption budget; jobs have a deadline and a bound of tries."""
    if pod.component not in LONG_RUNNING:
        spec = pod.owner["spec"].get("jobTemplate", pod.owner)["spec"]
        assert spec["activeDeadlineSeconds"] > 0
        assert spec["backoffLimit"] > 0
        return
    ports = {one["name"] for one in pod.container["ports"]}
    probes = [pod.container[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")]
    assert {probe["port"] for probe in probes} <= ports
    assert of("PodDisruptionBudget")[pod.component]["spec"]["selector"] == pod.owner["spec"]["selector"]


@each_pod
def test_every_variable_is_a_setting(pod: Pod) -> None:
    """Each variable is known; what is secret comes from a Secret, and nothing else does."""
    named = {name for name in pod.variables if name.startswith("HOTBASKET_")}
    assert set() == {name for name in named if name.removeprefix("HOTBASKET_").lower() not in Settings.model_fields}
    given = of("ConfigMap")["hotbasket-settings"]["data"]
    own = {name: one["value"] for name, one in pod.variables.items() if "value" in one}
    load_settings(**{name.removeprefix("HOTBASKET_").lower(): value for name, value in {**given, **own}.items()})
    secret = {name for name, one in pod.variables.items() if "secretKeyRef" in one.get("valueFrom", {})}
    assert secret == named & SECRETS


@each_pod
def test_a_pod_holds_no_key_that_it_does_not_need(pod: Pod) -> None:
    """Keys that name shoppers are for gateways and the privacy worker, the vault's own for gateways alone."""
    assert (KEYS <= pod.variables.keys()) == (pod.component in {"gateway", "privacy"})
    assert bool(KEYS & pod.variables.keys()) == (pod.component in {"gateway", "privacy"})
    assert ("HOTBASKET_VAULT" in pod.variables) == (pod.component in {"gateway", "migrate"})
    assert ("HOTBASKET_VAULT_SECRET" in pod.variables) == (pod.component == "gateway")


@each_pod
def test_every_command_is_one_of_ours(pod: Pod) -> None:
    """Command and options are those of the command line, and can be parsed."""
    command: Any = get_command(command_line())
    words = list(pod.container["args"])
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    assert [] == command.make_context(str(pod), words).args


def test_a_secret_is_only_referred_to() -> None:
    """No Secret is in the repository, and operations.md says how each that is referred to is made, key by key."""
    assert {} == of("Secret")
    text = (FOLDER.parents[1] / "docs" / "operations.md").read_text(encoding="utf-8")
    wanted = {
        (one["valueFrom"]["secretKeyRef"]["name"], one["valueFrom"]["secretKeyRef"]["key"])
        for pod in pods()
        for one in pod.variables.values()
        if "secretKeyRef" in one.get("valueFrom", {})
    }
    commands = text.replace("\\\n", " ")
    for name, key in wanted:
        assert re.search(rf"create secret generic {name} .*--from-literal={key}=", commands), (name, key)


def test_a_worker_is_named_by_its_pod_and_leaves_slowly() -> None:
    """Members keep their names over restarts; workers are taken away only after half an hour without need."""
    for pod in pods():
        stateful = pod.owner["kind"] == "StatefulSet"
        assert stateful == (pod.component in {"worker", "archiver"})
        if stateful:
            reference = pod.variables["HOTBASKET_WORKER_ID"]["valueFrom"]["fieldRef"]["fieldPath"]
            assert reference == "metadata.name"
    scaler = of("HorizontalPodAutoscaler")["worker"]["spec"]
    assert scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] >= 1_800
    assert "hotbasket_worker_lag_seconds" == scaler["metrics"][0]["pods"]["metric"]["name"]


def test_erasures_visit_the_warehouse_that_the_night_fills() -> None:
    """Night and privacy worker name one folder of one volume, which each can have wherever it runs."""
    visitors = [pod for pod in pods() if pod.component in {"batch", "privacy"}]
    assert {"nightly", "privacy"} == {str(pod) for pod in visitors}
    (folder,) = {pod.variables["HOTBASKET_WAREHOUSE"]["value"] for pod in visitors}
    for pod in visitors:
        (claimed,) = [one["name"] for one in pod.spec["volumes"] if one.get("persistentVolumeClaim") == CLAIM]
        (mount,) = [one for one in pod.container["volumeMounts"] if one["name"] == claimed]
        assert Path(mount["mountPath"]) in Path(folder).parents
        for first in pod.spec.get("initContainers", ()):
            assert (["mkdir", "-p"], folder) == (first["command"][:2], first["command"][-1])
            assert [mount] == first["volumeMounts"]
    assert {"privacy"} == {str(pod) for pod in visitors if "initContainers" in pod.spec}
    assert ["ReadWriteMany"] == of("PersistentVolumeClaim")[CLAIM["claimName"]]["spec"]["accessModes"]


def test_a_night_is_told_to_who_can_be_reached() -> None:
    """Each job of the night is given a Pushgateway's address, and the way there is open, for the night alone."""
    told = {str(pod): pod.variables.get(PUSH) for pod in pods() if pod.component == "batch"}
    reference = {"name": "hotbasket-batch", "key": "push_gateway"}
    assert {"nightly": reference} == {name: one and one["valueFrom"]["configMapKeyRef"] for name, one in told.items()}
    address = of("ConfigMap")["hotbasket-batch"]["data"]["push_gateway"]
    assert address == load_settings(batch_push_gateway=address).batch_push_gateway
    host, _, port = address.partition(":")
    policy = of("NetworkPolicy")["batch-tells"]["spec"]
    assert {"matchLabels": {COMPONENT: "batch"}} == policy["podSelector"]
    ((target,), ports) = policy["egress"][0]["to"], policy["egress"][0]["ports"]
    assert host.split(".")[1:] == [*target["namespaceSelector"]["matchLabels"].values()]
    assert [{"protocol": "TCP", "port": int(port)}] == ports


def test_migrate_can_be_applied_before_all_else() -> None:
    """A label of the Job picks it out of the kustomization, as operations.md says, and nothing but it."""
    text = (FOLDER.parents[1] / "docs" / "operations.md").read_text(encoding="utf-8")
    (label,) = set(re.findall(r"apply -k deploy/kubernetes -l (\S+)", text))
    name, _, value = label.partition("=")
    picked = [one for one in objects() if one["metadata"].get("labels", {}).get(name) == value]
    assert [of("Job")["migrate"]] == picked


def test_a_scaled_object_names_no_number() -> None:
    """Where an autoscaler decides, applying the manifests again does not take its decision back."""
    for scaler in of("HorizontalPodAutoscaler").values():
        target = scaler["spec"]["scaleTargetRef"]
        assert "replicas" not in of(target["kind"])[target["name"]]["spec"]


def test_nothing_is_open_by_itself() -> None:
    """All is denied first; metrics are for Prometheus, and the vault for gateways and migrate, from both sides."""
    policies = of("NetworkPolicy")
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} == policies["default-deny"]["spec"]
    (rule,) = policies["metrics"]["spec"]["ingress"]
    (source,) = rule["from"]
    assert {"app.kubernetes.io/name": "prometheus"} == source["podSelector"]["matchLabels"]
    for policy in policies.values():
        text = str(policy["spec"])
        if "vault" not in text:
            continue
        (listed,) = re.findall(r"'values': \[([^]]*)\]", text)
        assert "'gateway', 'migrate'" == listed, policy["metadata"]["name"]
    assert {"to-vault", "vault"} <= policies.keys()
    reached = [one for one in policies.values() if "5432" in str(one["spec"])]
    assert {"to-postgres", "to-vault", "vault"} == {one["metadata"]["name"] for one in reached}
