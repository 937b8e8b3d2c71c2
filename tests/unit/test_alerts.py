"""Prometheus takes the rule file; each alert fires when it should, is silent when not, and has its runbook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from monitoring.alerts.build import alerts, build, groups
from monitoring.alerts.objectives import OBJECTIVES
from monitoring.alerts.rules import Alert, Options, Record
from monitoring.metrics import BatchMetrics, Metrics
from tests.unit.alert_budgets import budget_cases
from tests.unit.alert_cases import Case, Fired, cases
from tests.unit.alert_cases_cold import cold_cases
from tests.unit.alert_series import BESIDE, ONLY, WELL

CASES = [*cases(), *cold_cases(), *budget_cases()]
USUAL = Options(only=ONLY)
ALERTS = alerts(USUAL)
RUNBOOK = "docs/operations.md"
PROMTOOL_S = 240
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not here: apt-get install prometheus"
)
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.over or alert.severity}")


def anchors(text: str) -> dict[str, str]:
    """The sections of a document by their anchors, as GitHub makes them."""
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    names = (re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in parts[1::2])
    return dict(zip(names, parts[2::2], strict=True))


def series() -> set[str]:
    """The names of all series that our metrics make."""
    parts = ("", "_total", "_created", "_bucket", "_count", "_sum")
    families = [*Metrics().registry.collect(), *BatchMetrics().registry.collect()]
    return {family.name + part for family in families for part in parts}


def of_case(case: Case) -> dict[str, Any]:
    """One case as promtool's unit test: all alerts are asked for, so that nothing else may fire."""
    at_s = case.at_min * 60 + 30
    # Hours are looked at a few times; what waits for minutes, twice a minute.
    every_s = 30 if case.at_min <= 31 else at_s // case.looks
    asked = {
        alert.name: [expected(fired) for fired in case.fires if f"Hotbasket{fired.name}" == alert.name]
        for alert in ALERTS
    }
    return {
        "rule_files": ["hotbasket.yml"],
        "evaluation_interval": f"{every_s}s",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": values.replace("xN", f"x{case.at_min + 1}")}
                    for name, values in {**BESIDE, **WELL, **case.changed}.items()
                    if values
                ],
                "alert_rule_test": [
                    {"eval_time": f"{at_s}s", "alertname": name, "exp_alerts": firing} for name, firing in asked.items()
                ],
            }
        ],
    }


def expected(fired: Fired) -> dict[str, Mapping[str, str]]:
    """An alert as Prometheus sends it."""
    (alert,) = [
        one for one in ALERTS if (one.name, one.over) == (f"Hotbasket{fired.name}", fired.labels.get("over", ""))
    ]
    return {
        "exp_labels": {"severity": alert.severity, **fired.labels},
        "exp_annotations": {
            "summary": alert.summary,
            "description": fired.said,
            "runbook_url": f"{RUNBOOK}#{alert.section}",
        },
    }


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What promtool says of each case; one call for all, since most of a call is its start."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "hotbasket.yml").write_text(build(USUAL), encoding="utf-8")
    names = {str(case): f"case-{number}.json" for number, case in enumerate(CASES)}
    for case in CASES:
        (folder / names[str(case)]).write_text(json.dumps(of_case(case)), encoding="utf-8")
    ran = promtool("test", "rules", *names.values(), folder=folder)
    said = dict(part.split("\n", 1) for part in ran.stdout.split("Unit Testing:  ")[1:])
    return {case: said.get(file, "not tested").strip() for case, file in names.items()}


def promtool(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs promtool to its end; what it says of a fault comes behind what it is about."""
    return subprocess.run(
        ["promtool", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PROMTOOL_S,
    )


@needs_promtool
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.slow
def test_an_alert_fires_when_it_should(answers: dict[str, str], case: Case) -> None:
    """In each case just those alerts fire that are named, with the words that somebody reads."""
    assert "SUCCESS" == answers[str(case)]


@needs_promtool
def test_prometheus_takes_the_rule_file(tmp_path: Path) -> None:
    """Whatever the options, promtool finds rules and no fault, and as many as there are."""
    for options in (Options(), Options(1, 2, 7, "https://wiki/", ONLY, archiver=False, night=False, scale=60)):
        (tmp_path / "hotbasket.yml").write_text(build(options), encoding="utf-8")
        checked = promtool("check", "rules", "hotbasket.yml", folder=tmp_path)
        assert 0 == checked.returncode, checked.stdout
        assert f"{sum(len(group.rules) for group in groups(options))} rules found" in checked.stdout


@each_alert
def test_each_alert_is_tried_both_ways(alert: Alert) -> None:
    """There is a case in which it fires and one about it in which it does not."""
    about = [case for case in CASES if f"Hotbasket{case.about}" == alert.name]
    firing = [
        any((f"Hotbasket{one.name}", one.labels.get("over", "")) == (alert.name, alert.over) for one in case.fires)
        for case in about
    ]
    assert {True, False} == set(firing)


@each_alert
def test_each_alert_waits_or_says_why_not(alert: Alert) -> None:
    """Nobody is called for a moment's trouble, unless the moment is enough."""
    assert (alert.for_s > 0) != bool(alert.at_once)


@each_alert
def test_each_alert_has_its_section_in_the_runbook(checkout: Path, alert: Alert) -> None:
    """The link leads to what is seen, what it means, what to do, and what need not be done; the table lists it."""
    text = (checkout / RUNBOOK).read_text(encoding="utf-8")
    section = " ".join(anchors(text)[alert.section].split())
    missing = [words for words in ("*You see*", "*It means*", "*Do*", "*You need not*") if words not in section]
    assert [] == missing
    (row,) = re.findall(rf"^\| `{alert.name}` \|.*$", text, flags=re.MULTILINE)
    assert f"](#{alert.section})" in row
    assert alert.severity in row


def test_the_table_lists_no_alert_that_is_not_there(checkout: Path) -> None:
    """The runbook's table has each alert once, and no other."""
    text = (checkout / RUNBOOK).read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(Hotbasket\w+)` \|", text, flags=re.MULTILINE)
    assert sorted({alert.name for alert in ALERTS}) == sorted(listed)


def test_rules_ask_for_metrics_that_exist() -> None:
    """Each name of ours is declared, as a metric or as a recording rule before."""
    known = series()
    for group in groups(Options()):
        for rule in group.rules:
            names = set(re.findall(r"\bhotbasket[:_][\w:]+", rule.expression))
            assert names
            if isinstance(rule, Record):
                known |= {rule.name}  # it may go by what it said before
            assert set() == names - known


def test_the_cases_are_made_of_metrics_that_exist() -> None:
    """A case about a metric of another name would prove nothing."""
    names = {name.partition("{")[0] for case in CASES for name in {**BESIDE, **WELL, **case.changed}}
    assert {"up"} == names - series()
    buckets = {
        (sample.name, sample.labels["le"])
        for family in Metrics().registry.collect()
        for sample in family.samples
        if "le" in sample.labels
    }
    asked = set(re.findall(r'(\w+)\{le="([^"]+)"\}', build(Options())))
    assert asked
    assert asked <= buckets


def test_an_objective_burns_by_the_workbooks_numbers() -> None:
    """Each objective has two alerts that wake somebody up and two that do not, in their windows."""
    for one in OBJECTIVES:
        found = [(alert.over, alert.severity) for alert in ALERTS if alert.name == f"Hotbasket{one.name}"]
        assert [("1h", "page"), ("6h", "page"), ("1d", "ticket"), ("3d", "ticket")] == found


def test_a_scale_divides_windows_waits_and_bounds_of_days() -> None:
    """What takes hours in earnest takes minutes in a test, and is the same rule."""
    usual, short = build(Options()), build(Options(scale=60))
    for long, brief in (
        ("[1h]", "[1m]"),
        ("[1d]", "[24m]"),
        ("for: 5m", "for: 5s"),
        ("hotbasket_archive_lag_seconds[5m]) > 151200\n", "hotbasket_archive_lag_seconds[5s]) > 2520\n"),
    ):
        assert usual.count(long) == short.count(brief) > 0
        assert short.count(long) == usual.count(brief) == 0
    assert len(usual.splitlines()) == len(short.splitlines())


def test_each_series_is_asked_for_with_what_tells_installations_apart() -> None:
    """No rule sees another system in the same Prometheus; what rules recorded is of this one already."""
    asked = re.findall(r"\bhotbasket_\w+(?:\{[^}]*\})?", "\n".join(rule.expression for rule in rules(USUAL)))
    assert asked
    assert [] == [selector for selector in asked if not selector.endswith(f"{ONLY}}}")]


def test_what_is_not_there_is_not_missed() -> None:
    """Without an archiver or a night no alert asks for one."""
    left = {alert.name for alert in alerts(Options(archiver=False, night=False))}
    names = {alert.name for alert in ALERTS}
    gone = {name for name in names if re.search("Archive[rd]|Night|Trees|Cooling", name)}
    assert names - left == gone
    assert len(gone) >= 7


def rules(options: Options) -> list[Alert | Record]:
    """Every rule."""
    return [rule for group in groups(options) for rule in group.rules]


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "monitoring.alerts", *arguments],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_writes_what_it_says(tmp_path: Path) -> None:
    """It makes the directory, replaces its own file, leaves others alone, and prints the path."""
    there = tmp_path / "new" / "rules"
    for partitions in (64, 1):
        ran = command(there, "--partitions", str(partitions), "--runbook", "https://wiki/operations")
        assert (0, "", f"{there / 'hotbasket.yml'}\n") == (ran.returncode, ran.stderr, ran.stdout)
        (there / "others.yml").touch()
    assert {"hotbasket.yml", "others.yml"} == {path.name for path in there.iterdir()}
    assert build(Options(partitions=1, runbook="https://wiki/operations")) == (there / "hotbasket.yml").read_text()


def test_the_command_takes_matchers_and_nothing_else(tmp_path: Path) -> None:
    """What tells installations apart goes into every rule; what is no list of matchers is wrong usage."""
    there = tmp_path / "rules"
    only = 'cluster="eu", job!="demo"'
    ran = command(there, "--only", only, "--no-archiver", "--no-night")
    assert (0, "") == (ran.returncode, ran.stderr)
    assert build(Options(only=only, archiver=False, night=False)) == (there / "hotbasket.yml").read_text()
    for wrong in ("demo", 'job!="demo",', 'job="a"} or up{job="b"', 'job="a\nb"'):
        assert 2 == command(there, "--only", wrong).returncode, wrong


def test_the_command_says_in_a_line_why_it_can_not_write(tmp_path: Path) -> None:
    """A folder that can't be made is one line, not a traceback."""
    (tmp_path / "file").touch()
    ran = command(tmp_path / "file" / "rules")
    assert (1, f"{tmp_path / 'file' / 'rules'}: Not a directory\n") == (ran.returncode, ran.stderr)
