"""The dashboards' JSON keeps the rules of Grafana's dashboard linter, and says the truth about our metrics.

Source: https://github.com/grafana/dashboard-linter, its rules in its words; the names in brackets are its rules'.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from grafana_foundation_sdk.models import units

from gateway.answers import STATUS
from monitoring.alerts.objectives import UNACKNOWLEDGED
from monitoring.dashboards.build import BOARDS, Options, build
from monitoring.dashboards.exporters import EXPORTED
from monitoring.metrics import BatchMetrics, Metrics

Json = dict[str, Any]
BUILT: dict[str, Json] = {name: json.loads(text) for name, text in build(Options()).items()}
COLUMNS = 24
UNITS = {unit for name, unit in vars(units).items() if name[0] != "_" and isinstance(unit, str)}
MATCHERS = ('job=~"$job"', 'instance=~"$instance"')
NOT_OF_EVENTS = frozenset(
    {
        "too_many_streams",
        "store_unavailable",
        "not_ready",
        "vault_unavailable",
        "audit_unavailable",
        "requests_unavailable",
    }
)
"""Errors that keep no event from being acknowledged: of streams, lookups, probes, claims, trail and requests."""
COUNTED_AS_ERRORS = frozenset({"internal"})
"""Not among the refusals: the gateway counts it as an error of a request."""


class Selector(NamedTuple):
    """One selector of an expression.

    Attributes:
        function: what is applied to it directly; empty if nothing is.
        metric: its name.
        matchers: what stands between the braces.
        window: of a range, without brackets; empty if there is none.
    """

    function: str
    metric: str
    matchers: str
    window: str


class Panel(NamedTuple):
    """One panel and its dashboard."""

    board: Json
    shown: Json

    def __str__(self) -> str:
        """Its title, which names the test."""
        return f"{self.board['uid']}: {self.shown['title']}"

    @property
    def expressions(self) -> list[str]:
        """Its queries."""
        return [target["expr"] for target in self.shown["targets"]]


def selectors(expression: str) -> list[Selector]:
    """The selectors of an expression."""
    return [Selector(*found) for found in re.findall(r"(?:(\w+)\()?(\w+)\{([^}]*)\}(?:\[([^]]+)\])?", expression)]


def declared() -> dict[str, str]:
    """The type of each series that our metrics make, those of the night and those of the servers' exporters."""
    kinds: dict[str, str] = {"up": "gauge", **EXPORTED}
    for family in (*Metrics().registry.collect(), *BatchMetrics().registry.collect()):
        match family.type:
            case "counter":
                kinds[f"{family.name}_total"] = "counter"
            case "histogram":
                kinds |= {f"{family.name}_{part}": "counter" for part in ("bucket", "count", "sum")}
            case _ if not family.name.endswith("_created"):
                kinds[family.name] = family.type
    return kinds


PANELS = [
    Panel(board, panel) for board in BUILT.values() for panel in board["panels"] if panel["type"] not in {"row", "text"}
]
each_board = pytest.mark.parametrize("board", BUILT.values(), ids=BUILT.keys())
each_panel = pytest.mark.parametrize("panel", PANELS, ids=str)


def variables(board: Json) -> dict[str, Json]:
    """A dashboard's variables by name."""
    return {variable["name"]: variable for variable in board["templating"]["list"]}


@each_board
def test_the_data_source_is_chosen_on_the_dashboard(board: Json) -> None:
    """One variable chooses the Prometheus [template-datasource-rule]."""
    chosen = variables(board)["datasource"]
    assert ("datasource", "prometheus", "Data source") == (chosen["type"], chosen["query"], chosen["label"])


@each_board
@pytest.mark.parametrize("name", ["job", "instance"])
def test_jobs_and_instances_are_chosen_on_the_dashboard(board: Json, name: str) -> None:
    """They are read from Prometheus, many or all [template-job, -instance, -label-promql, -on-time-change-reload]."""
    chosen = variables(board)[name]
    assert ("query", "${datasource}", name.title()) == (chosen["type"], chosen["datasource"]["uid"], chosen["label"])
    assert (True, True, ".+", 2) == (chosen["multi"], chosen["includeAll"], chosen["allValue"], chosen["refresh"])
    (metric,) = re.findall(rf"^label_values\((\w+)(?:\{{[^}}]*\}})?, {name}\)$", chosen["query"])
    assert metric in declared()


@each_board
def test_it_can_only_be_changed_in_code(board: Json) -> None:
    """Nobody edits it in the browser, where the next deployment would undo it [uneditable-dashboard]."""
    assert board["editable"] is False


@each_board
def test_it_is_told_apart(board: Json) -> None:
    """Dashboards and panels have a name of their own, and say in a sentence what they are for."""
    titles = [panel["title"] for panel in board["panels"]]
    numbers = [panel["id"] for panel in board["panels"]]
    assert (sorted(set(titles)), sorted(set(numbers))) == (sorted(titles), numbers)
    assert board["description"]
    assert len(BOARDS) == len({built["uid"] for built in BUILT.values()} & {name[:-5] for name in BUILT})


@each_board
def test_panels_lie_side_by_side(board: Json) -> None:
    """No panel reaches over the edge or lies on another, and no line but a row's last has a hole."""
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= COLUMNS, panel["title"]
        for cell in (
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        ):
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            taken[cell] = panel["title"]
    assert COLUMNS * (1 + max(y for _, y in taken)) == len(taken), "a line is not full"


@each_board
def test_the_first_row_answers_first(board: Json) -> None:
    """The overview begins with numbers in colours; the live path with the gateway."""
    first = board["panels"][1]
    assert {"hotbasket-overview": "stat"}.get(board["uid"], "timeseries") == first["type"]


@each_panel
def test_a_panel_says_what_it_shows(panel: Panel) -> None:
    """Title, one sentence, a unit that Grafana knows [panel-title-description-rule, panel-units-rule]."""
    shown = panel.shown
    assert re.fullmatch(r"[A-Z0-9].*[^.]", shown["title"])
    assert re.fullmatch(r"[A-Z](?:[^.]|\.(?=\d))*\.", shown["description"]), "one sentence"
    assert shown["fieldConfig"]["defaults"]["unit"] in UNITS


@each_panel
def test_a_panel_asks_the_chosen_data_source(panel: Panel) -> None:
    """It has queries, they have names, and go where the variable says [panel-datasource, panel-no-targets]."""
    sources = [panel.shown["datasource"], *(target["datasource"] for target in panel.shown["targets"])]
    assert [{"type": "prometheus", "uid": "${datasource}"}] * (1 + len(panel.expressions)) == sources
    letters = [target["refId"] for target in panel.shown["targets"]]
    assert letters
    assert sorted(set(letters)) == letters
    legends = [target["legendFormat"] for target in panel.shown["targets"]]
    assert all(legends)
    assert len(set(legends)) == len(legends)


@each_panel
def test_every_selector_follows_job_and_instance(panel: Panel) -> None:
    """What is chosen above holds in every query [target-job-rule, target-instance-rule]."""
    for expression in panel.expressions:
        found = selectors(expression)
        assert found
        assert [] == [one for one in found if not all(matcher in one.matchers.split(", ") for matcher in MATCHERS)]
        assert {one.metric for one in found} >= set(re.findall(r"\bhotbasket_\w+", expression)), "a bare metric"


@each_panel
def test_every_rate_is_over_the_rate_interval(panel: Panel) -> None:
    """A fixed window shows gaps or lies when zoomed [target-rate-interval-rule]."""
    windows = [one.window for expression in panel.expressions for one in selectors(expression) if one.window]
    assert set(windows) <= {"$__rate_interval", "1h"}
    rates = [
        one
        for expression in panel.expressions
        for one in selectors(expression)
        if one.function in {"rate", "increase", "deriv"}
    ]
    assert {"$__rate_interval"} >= {one.window for one in rates}


@each_panel
def test_counters_are_rated_and_gauges_are_not(panel: Panel) -> None:
    """Each metric exists; a counter is shown as its growth, a gauge as it is [target-counter-agg-rule]."""
    kinds = declared()
    for expression in panel.expressions:
        for one in selectors(expression):
            is_rated = one.function in {"rate", "increase"} and bool(one.window)
            assert (kinds[one.metric] == "counter") == is_rated, one


@each_panel
def test_a_bucket_that_is_asked_for_exists(panel: Panel) -> None:
    """A share within a bound needs a bucket with just that bound, as Prometheus writes it."""
    bounds = {
        (sample.name, sample.labels["le"])
        for family in Metrics().registry.collect()
        for sample in family.samples
        if "le" in sample.labels
    }
    asked = {
        (one.metric, bound)
        for expression in panel.expressions
        for one in selectors(expression)
        for bound in re.findall(r'le="([^"]+)"', one.matchers)
    }
    assert asked <= bounds


@each_panel
def test_a_step_is_never_shorter_than_a_scrape(panel: Panel) -> None:
    """Zooming in never asks for points that were not scraped."""
    assert "15s" == panel.shown["interval"]


@each_panel
def test_colours_go_from_good_to_bad(panel: Panel) -> None:
    """Where a value is bad there is a red, beyond the yellow if there is one; each number of the first row has one."""
    steps = panel.shown["fieldConfig"]["defaults"].get("thresholds", {"steps": []})["steps"]
    values = [step.get("value") for step in steps]
    colours = [step["color"] for step in steps]
    good_to_bad = ["green", "yellow", "red"]
    assert colours in ([], ["green", "red"], ["red", "green"], good_to_bad, good_to_bad[::-1])
    assert [None, *sorted(value for value in values if value is not None)][: len(values)] == values
    if panel.shown["type"] == "stat":
        assert colours
        assert [True] * len(panel.expressions) == [target["instant"] for target in panel.shown["targets"]]
    elif steps:
        assert "dashed" == panel.shown["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"]["mode"]


def test_every_metric_is_on_a_dashboard() -> None:
    """What is worth counting is worth showing; of a histogram, any of its parts."""
    asked = {one.metric for panel in PANELS for expression in panel.expressions for one in selectors(expression)}
    collected = (*Metrics().registry.collect(), *BatchMetrics().registry.collect())
    families = {family.name for family in collected if not family.name.endswith("_created")}
    parts = ("", "_total", "_bucket", "_count", "_sum")
    assert set() == {family for family in families if not asked & {family + part for part in parts}}
    assert EXPORTED.keys() == {metric for metric in asked if not metric.startswith("hotbasket_")} - {"up"}


def test_availability_counts_each_fault_of_the_server() -> None:
    """Each error with a status of 5xx either lowers the share acknowledged or has nothing to do with events."""
    counted = frozenset(UNACKNOWLEDGED.split("|"))
    assert {error for error, status in STATUS.items() if status >= 500} == counted | NOT_OF_EVENTS | COUNTED_AS_ERRORS
    assert frozenset() == counted & NOT_OF_EVENTS


def test_the_same_options_give_the_same_bytes() -> None:
    """A build changes nothing that nobody changed; partitions and scrape interval are the installation's."""
    assert build(Options()) == build(Options())
    other = {name: json.loads(text) for name, text in build(Options(partitions=128, scrape_s=60)).items()}
    for board in other.values():
        assert "128" == variables(board)["partitions"]["query"]
        assert {"60s"} == {panel["interval"] for panel in board["panels"] if panel["type"] != "row"}


def test_nothing_that_runs_needs_grafanas_library(checkout: Path) -> None:
    """One file imports it, and no other package imports the dashboards."""
    importing: dict[str, set[str]] = {"grafana_foundation_sdk": set(), "monitoring.dashboards": set()}
    for path in checkout.glob("[a-z]*/**/*.py"):
        name = path.relative_to(checkout).as_posix()
        text = path.read_text(encoding="utf-8")
        if name.startswith("tests/") or not any(watched in text for watched in importing):
            continue
        for node in ast.walk(ast.parse(text)):
            imported = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            names = [imported, *(alias.name for alias in node.names)] if isinstance(node, ast.Import) else [imported]
            for watched, found in importing.items():
                if any(f"{one}.".startswith(f"{watched}.") for one in names):
                    found.add(name)
    assert {"monitoring/dashboards/build.py"} == importing["grafana_foundation_sdk"]
    assert {"monitoring/dashboards"} == {name.rpartition("/")[0] for name in importing["monitoring.dashboards"]}


def command(*arguments: str | Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the command to its end, after some code of ours."""
    run = f"{before}\nimport runpy; runpy.run_module('monitoring.dashboards', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", run, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_command_writes_what_it_says(tmp_path: Path) -> None:
    """It makes the directory, replaces its own files, leaves others alone, and prints each path that it wrote."""
    there = tmp_path / "new" / "dashboards"
    for partitions in (64, 1):
        ran = command(there, "--partitions", str(partitions))
        assert (0, "") == (ran.returncode, ran.stderr)
        assert [str(there / name) for name in BUILT] == ran.stdout.splitlines()
        assert build(Options(partitions=partitions)) == {path.name: path.read_text("utf-8") for path in there.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "Missing argument 'DIR'"),
        (("--partitions", "0", "out"), 2, "Invalid value for '--partitions'"),
        (("file",), 2, "is a file"),
        (("file/in",), 1, "Not a directory"),
    ],
)
def test_the_command_says_what_is_wrong(
    arguments: tuple[str, ...], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong usage is 2, a directory that can't be is 1, and neither is a traceback."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    monkeypatch.chdir(tmp_path)
    ran = command(*arguments)
    assert (code, "", True) == (ran.returncode, ran.stdout, said in ran.stderr), ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_command_says_what_it_needs(tmp_path: Path) -> None:
    """Without Grafana's library it says how to get it; its help works all the same."""
    without = "import sys; sys.modules['grafana_foundation_sdk'] = None"
    ran = command(tmp_path, before=without)
    assert (1, "") == (ran.returncode, ran.stdout)
    assert ran.stderr.startswith("building dashboards needs grafana-foundation-sdk==0.0.21")
    assert 0 == command("--help", before=without).returncode
