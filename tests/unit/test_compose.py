"""deploy/compose.yaml keeps what it promises: pinned, checked, closed to others, and in words that hotbasket knows."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from adapters.secrets import given_secrets
from adapters.settings import Settings, load_settings
from deploy.cli import command_line
from tests.cli.running import environment

Json = dict[str, Any]
ONE_SHOT = {"secrets", "migrate", "dashboards", "rules"}
VOLUMES = {"demo": None, "worker": "worker", "archiver": "worker", "privacy": "privacy"}
"""Which secrets a service of ours is given; the others get those of gateways."""
NAMELESS = "HOTBASKET_POSTGRES_PASSWORD"
SECRET = re.compile(r"password|secret", flags=re.IGNORECASE)
FOLDERS = ("gateway", "privacy", "worker", "postgres", "grafana")


@pytest.fixture(scope="module")
def composed(checkout: Path) -> Json:
    """The file, its anchors followed."""
    found: Json = yaml.safe_load((checkout / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def services(composed: Json) -> dict[str, Json]:
    """Its services by name."""
    found: dict[str, Json] = composed["services"]
    return found


@pytest.fixture
def made(checkout: Path, tmp_path: Path) -> Path:
    """The folder of secrets, as the service `secrets` makes them."""
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    make_secrets(checkout, tmp_path)
    return tmp_path


def make_secrets(checkout: Path, folder: Path) -> None:
    """Does what a start of the service `secrets` does."""
    script = checkout / "deploy" / "compose" / "make-secrets.sh"
    subprocess.run(["sh", script, folder], check=True, capture_output=True, timeout=30)


def variables(path: Path) -> dict[str, str]:
    """What a file of secrets sets."""
    pairs = (line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())
    return dict((name, value) for name, value in pairs)  # noqa: C402 - a pair is a list here


def own(services: dict[str, Json]) -> dict[str, Json]:
    """The services that run hotbasket's commands."""
    return {
        name: one
        for name, one in services.items()
        if one["image"].startswith("hotbasket-") and name not in {"secrets", "dashboards", "rules"}
    }


def waited_for(services: dict[str, Json], name: str) -> set[str]:
    """What a service starts after, directly or through others."""
    needed = set(services[name].get("depends_on", {}))
    return needed.union(*(waited_for(services, one) for one in needed))


def test_every_image_is_pinned(services: dict[str, Json], checkout: Path) -> None:
    """An image is named with all of its version; our own has the version of setup.cfg, Kafka the one that is tested."""
    tags = {one["image"].partition(":")[0]: one["image"].partition(":")[2] for one in services.values()}
    assert {} == {name: tag for name, tag in tags.items() if not re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-[a-z]+)?", tag)}
    setup = (checkout / "setup.cfg").read_text(encoding="utf-8")
    assert f"version = {tags['hotbasket-live']}\n" in setup
    pom = (checkout / "tests" / "services" / "kafka" / "pom.xml").read_text(encoding="utf-8")
    assert f"<version>{tags['apache/kafka']}</version>" in pom


def test_our_image_is_built_once_and_before_it_is_needed(services: dict[str, Json]) -> None:
    """One service builds it, no other builds or fetches it, and whoever runs it starts after that one."""
    ours = {name: one for name, one in services.items() if one["image"].startswith("hotbasket-")}
    assert {"secrets"} == {name for name, one in services.items() if "build" in one}
    policies = {name: one["pull_policy"] for name, one in ours.items()}
    assert {name: "build" if name == "secrets" else "never" for name in ours} == policies
    for name in ours.keys() - {"secrets"}:
        assert "secrets" in waited_for(services, name), name


def test_what_runs_is_watched_and_what_ends_is_not_restarted(services: dict[str, Json]) -> None:
    """A service has a health check and is restarted, or does one thing and ends."""
    watched = {name for name, one in services.items() if "test" in one.get("healthcheck", {})}
    assert services.keys() - ONE_SHOT == watched
    restarts = {name: one["restart"] for name, one in services.items()}
    assert {name: "no" if name in ONE_SHOT else "unless-stopped" for name in services} == restarts


def test_a_service_waits_for_what_it_needs(services: dict[str, Json]) -> None:
    """Each dependency says how it is fulfilled: a service that runs by its health, one that ends by its end."""
    for one in services.values():
        for name, how in one.get("depends_on", {}).items():
            expected = "service_completed_successfully" if name in ONE_SHOT else "service_healthy"
            assert expected == how["condition"], name
    waiting = {name for name, one in services.items() if "migrate" in one.get("depends_on", {})}
    assert {"gateway-1", "gateway-2", "worker", "archiver", "privacy"} == waiting


def test_ports_are_open_to_this_machine_alone(services: dict[str, Json]) -> None:
    """Each published port names loopback, and none is published twice."""
    published = [port for one in services.values() for port in one.get("ports", ())]
    assert [] == [port for port in published if not port.startswith("127.0.0.1:")]
    assert len(published) == len({port.split(":")[1] for port in published})


def test_volumes_are_declared_and_used(composed: Json, services: dict[str, Json], checkout: Path) -> None:
    """A volume that is named is declared, and a file of this folder that is mounted is there."""
    used = {volume.split(":")[0] for one in services.values() for volume in one.get("volumes", ())}
    assert composed["volumes"].keys() == {name for name in used if name[0] != "."}
    assert [] == [name for name in used if name[0] == "." and not (checkout / "deploy" / name).exists()]


def test_no_secret_stands_in_the_repository(services: dict[str, Json]) -> None:
    """A variable whose name speaks of a secret names a file of a volume."""
    found = [
        (name, value)
        for one in services.values()
        for name, value in one.get("environment", {}).items()
        if SECRET.search(name) and not str(value).startswith("/run/hotbasket/")
    ]
    assert [] == found


def test_our_containers_can_do_little(services: dict[str, Json]) -> None:
    """Nothing is written outside of volumes and /tmp, no capability is left, and root only fills volumes."""
    ours = {name: one for name, one in services.items() if one["image"].startswith("hotbasket-")}
    assert {(True, ("ALL",))} == {(one["read_only"], tuple(one["cap_drop"])) for one in ours.values()}
    assert {"secrets", "dashboards", "rules"} == {name for name, one in ours.items() if "user" in one}
    assert {"none"} == {one["network_mode"] for one in ours.values() if "user" in one}


def test_every_variable_is_a_setting(services: dict[str, Json]) -> None:
    """What begins with HOTBASKET_ is known, and its value is taken; each process on servers is told where they are."""
    for name, one in own(services).items():
        given = {key.removeprefix("HOTBASKET_").lower(): value for key, value in one["environment"].items()}
        load_settings(**given)
        assert name == "demo" or {"kafka", "scylla", "postgres"} <= given.keys()


def test_every_command_is_one_of_ours(services: dict[str, Json]) -> None:
    """Command and options are those of the command line, and can be parsed."""
    for name, one in own(services).items():
        command: Any = get_command(command_line())
        words = list(one["command"])
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        context = command.make_context(name, words)
        assert [] == context.args


def test_secrets_are_made_once(made: Path, checkout: Path) -> None:
    """They are good, unlike each other, and a second start leaves them alone."""
    found = variables(made / "gateway" / "hotbasket.env")
    settings = load_settings(**{name.removeprefix("HOTBASKET_").lower(): value for name, value in found.items()})
    assert 3 == len(given_secrets(settings, ("subscription_secret", "identity_secret", "vault_secret")))
    assert len(found) == len(set(found.values()))
    before = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    make_secrets(checkout, made)
    assert before == {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    assert {0o644} == {stat.S_IMODE(path.stat().st_mode) for path in before}


def test_who_needs_no_key_holds_none(made: Path, services: dict[str, Json]) -> None:
    """Workers and the archiver get the control store's password alone, the privacy worker nothing of the vault's."""
    assert {NAMELESS} == variables(made / "worker" / "hotbasket.env").keys()
    found = variables(made / "privacy" / "hotbasket.env")
    assert {NAMELESS, "HOTBASKET_SUBSCRIPTION_SECRET", "HOTBASKET_IDENTITY_SECRET"} == found.keys()
    assert found.items() <= variables(made / "gateway" / "hotbasket.env").items()
    for name, one in own(services).items():
        mounted = [volume.partition("-secrets:")[0] for volume in one["volumes"] if "-secrets:" in volume]
        expected = VOLUMES.get(name, "gateway")
        assert ([] if expected is None else [expected]) == mounted
        assert ("HOTBASKET_VAULT" in one["environment"]) == (name in {"gateway-1", "gateway-2", "migrate"})


def test_the_privacy_worker_follows_the_gateways_keys(made: Path, checkout: Path) -> None:
    """A key that was changed for gateways is the privacy worker's at the next start, and so is one that was missing."""
    gateway, privacy = (made / name / "hotbasket.env" for name in ("gateway", "privacy"))
    before = variables(gateway)["HOTBASKET_IDENTITY_SECRET"]
    changed = {"HOTBASKET_IDENTITY_SECRET": "ab" * 32, "HOTBASKET_IDENTITY_SECRET_BEFORE": before}
    lines = [f"{name}={value}\n" for name, value in {**variables(gateway), **changed}.items()]
    gateway.write_text("".join(lines), encoding="utf-8")
    privacy.unlink()
    make_secrets(checkout, made)
    assert changed.items() <= variables(privacy).items()


def test_a_process_is_started_with_its_secrets(made: Path, checkout: Path, tmp_path: Path) -> None:
    """with-secrets.sh hands over what the volume holds, and becomes the command."""
    shown = tmp_path / "hotbasket"
    shown.write_text('#!/bin/sh\necho "$$ $HOTBASKET_IDENTITY_SECRET $1"\n', encoding="utf-8")
    shown.chmod(0o755)
    variables_given = environment() | {"SECRETS": str(made / "gateway"), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    script = checkout / "deploy" / "compose" / "with-secrets.sh"
    with subprocess.Popen(["sh", script, "worker"], env=variables_given, stdout=subprocess.PIPE, text=True) as process:
        said = process.communicate(timeout=30)[0]
    expected = variables(made / "gateway" / "hotbasket.env")["HOTBASKET_IDENTITY_SECRET"]
    assert f"{process.pid} {expected} worker\n" == said


def test_prometheus_scrapes_every_process(services: dict[str, Json], checkout: Path) -> None:
    """Each long-running process of ours is a target, workers once for each of them; and ScyllaDB, by its own port."""
    config = yaml.safe_load((checkout / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))
    static = [one for job in config["scrape_configs"] for one in job.get("static_configs", ())]
    targets = {target for one in static for target in one["targets"]}
    processes = int(services["worker"]["command"][-1])
    first = Settings.model_fields["metrics_port"].default
    expected = {f"{name}:{first}" for name in own(services).keys() - ONE_SHOT - {"demo", "worker"}}
    expected |= {f"worker:{first + number}" for number in range(processes)}
    assert expected | {"scylla:9180"} == targets
    (named,) = [one for job in config["scrape_configs"] for one in job.get("dns_sd_configs", ())]
    assert (["demo"], first) == (named["names"], named["port"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus")
def test_prometheus_takes_its_configuration(checkout: Path) -> None:
    """Prometheus' own tool finds no fault in it."""
    command = ["promtool", "check", "config", str(checkout / "deploy" / "prometheus.yml")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_prometheus_finds_rules_where_they_are_written(services: dict[str, Json]) -> None:
    """They lie in the volume that Prometheus reads, made for as many partitions as there are, before it starts."""
    folder, _, partitions, *_ = services["rules"]["command"]
    assert [f"rules:{folder}"] == services["rules"]["volumes"]
    assert "rules:/etc/prometheus/rules:ro" in services["prometheus"]["volumes"]
    assert "rules" in services["prometheus"]["depends_on"]
    migrated = services["migrate"]["command"]
    assert migrated[migrated.index("--partitions") + 1] == partitions


def test_the_demo_hides_nothing_from_the_alerts(services: dict[str, Json], checkout: Path) -> None:
    """It is scraped beside the system, by a job that the rules leave out."""
    scraped = yaml.safe_load((checkout / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    (job,) = [one["job_name"] for one in scraped if "demo" in str(one)]
    command = services["rules"]["command"]
    assert f'job!="{job}"' == command[command.index("--only") + 1]


def test_grafana_finds_dashboards_where_they_are_written(services: dict[str, Json], checkout: Path) -> None:
    """The one-shot service writes into the volume that Grafana's provisioning names."""
    provided = yaml.safe_load((checkout / "deploy" / "compose" / "grafana-boards.yaml").read_text(encoding="utf-8"))
    path = provided["providers"][0]["options"]["path"]
    assert f"dashboards:{path}:ro" in services["grafana"]["volumes"]
    folder = services["dashboards"]["command"][0]
    assert f"dashboards:{folder}" in services["dashboards"]["volumes"]
    partitions = services["migrate"]["command"]
    assert partitions[partitions.index("--partitions") + 1] == services["dashboards"]["command"][-1]
