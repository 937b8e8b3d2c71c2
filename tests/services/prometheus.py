"""One Prometheus that scrapes processes of hotbasket, and the dashboards' queries, asked as Grafana would ask them."""

from __future__ import annotations

import json
import math
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from monitoring.dashboards.build import Options, build
from tests.services.server import Account, Server, ServerError

ANSWERED_WITHIN_S = 30
SCRAPED_WITHIN_S = 60.0
_LOOK_S = 0.05
# Without the environment's proxies: what is asked is on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Series(NamedTuple):
    """One series of an answer, at one moment."""

    labels: dict[str, str]
    value: float


class Asked(NamedTuple):
    """One query of one panel.

    Attributes:
        dashboard, panel, legend: where it stands.
        expression: PromQL, its variables put in.
    """

    dashboard: str
    panel: str
    legend: str
    expression: str


class Answer(NamedTuple):
    """What an operator would see of one query.

    Attributes:
        asked: the query.
        fault: why Prometheus refused it; empty if it did not.
        series: those with a number: Grafana draws no others.
    """

    asked: Asked
    fault: str
    series: tuple[Series, ...]


class Prometheus(Server):
    """A Prometheus on loopback; Debian's 2.42 and newer.

    Args:
        folder: of its configuration, its data and its log.
        jobs: URLs of metrics by job.
        scrape_s: seconds between two scrapes; a rate needs two of them.
        port: for queries.
        rules: a rule file, evaluated as often as processes are scraped; empty = there is none.
    """

    name = "prometheus"

    def __init__(
        self,
        folder: Path,
        jobs: Mapping[str, Sequence[str]],
        *,
        scrape_s: int = 1,
        port: int | None = None,
        rules: str = "",
    ) -> None:
        super().__init__(folder, port)
        self._scrape_s = scrape_s
        self._rules = rules
        self._instances: set[str] = set()
        self._targets = self.folder / "targets.json"
        self.watch(jobs)

    @property
    def rate_interval(self) -> str:
        """What Grafana would put in place of `$__rate_interval`: four scrapes."""
        return f"{4 * self._scrape_s}s"

    def watch(self, jobs: Mapping[str, Sequence[str]]) -> None:
        """Sets which processes are scraped from now on, instead of those before; a restart is not needed."""
        addresses = {job: [urllib.parse.urlsplit(url).netloc for url in urls] for job, urls in jobs.items()}
        self._instances = {instance for instances in addresses.values() for instance in instances}
        groups = [{"targets": instances, "labels": {"job": job}} for job, instances in addresses.items()]
        unfinished = self._targets.with_suffix(".tmp")
        unfinished.write_text(json.dumps(groups), encoding="utf-8")
        unfinished.replace(self._targets)

    def wait_until_scraped(self, within_s: float = SCRAPED_WITHIN_S) -> None:
        """Waits until every process watched has answered enough scrapes for a rate."""
        deadline_s = time.monotonic() + within_s
        range_s = 4 * self._scrape_s
        while True:
            seen = {series.labels["instance"] for series in self.query(f"sum_over_time(up[{range_s}s]) >= 2")}
            if seen >= self._instances:
                return
            assert time.monotonic() < deadline_s, f"not scraped: {self._instances - seen}\n{self.log_tail()}"
            time.sleep(_LOOK_S)

    def query(self, expression: str, at: float | None = None) -> list[Series]:
        """Gives the series of an expression at a moment, seconds since 1970; now, if none is named.

        Raises:
            ValueError: Prometheus refused it, and why.
        """
        fields = {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"})
        found = self._ask("/api/v1/query", fields)
        if found["resultType"] == "scalar":
            return [Series({}, float(found["result"][1]))]
        return [Series(one["metric"], float(one["value"][1])) for one in found["result"]]

    def firing(self) -> set[str]:
        """Gives the alerts that fire now, by name."""
        return {series.labels["alertname"] for series in self.query('ALERTS{alertstate="firing"}')}

    def _ask(self, path: str, fields: Mapping[str, str]) -> Any:  # Any: what a JSON document holds
        request = urllib.request.Request(f"http://{self.address}{path}", urllib.parse.urlencode(fields).encode())
        try:
            with _OPENER.open(request, timeout=ANSWERED_WITHIN_S) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise ValueError(json.loads(refusal.read())["error"]) from None

    def _prepare(self) -> tuple[list[str], Account | None]:
        binary = shutil.which("prometheus")
        if binary is None:
            raise ServerError("Prometheus is not here: apt-get install prometheus")
        every = f"{self._scrape_s}s"
        (self.folder / "rules.yml").write_text(self._rules, encoding="utf-8")
        config = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": ["rules.yml"] if self._rules else [],
            "scrape_configs": [
                {
                    "job_name": "hotbasket",
                    "file_sd_configs": [{"files": [str(self._targets)], "refresh_interval": "1s"}],
                }
            ],
        }
        # YAML understands JSON.
        written = self.folder / "prometheus.yml"
        written.write_text(json.dumps(config), encoding="utf-8")
        return [
            binary,
            f"--config.file={written}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={self.address}",
        ], None

    def _ready_lines(self) -> tuple[bytes, ...]:
        return (b"Server is ready to receive web requests",)


def queries(*, rate_interval: str = "1m", partitions: int = 1) -> Iterator[Asked]:
    """Gives every query of every panel, as Grafana asks it when all jobs and instances are selected."""
    values = {
        "$__rate_interval": rate_interval,
        "$partitions": str(partitions),
        "$instance": ".+",
        "$job": ".+",
    }
    for text in build(Options(partitions=partitions)).values():
        board = json.loads(text)
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                expression = target["expr"]
                for variable, value in values.items():
                    expression = expression.replace(variable, value)
                yield Asked(board["title"], panel["title"], target["legendFormat"], expression)


def run_queries(prometheus: Prometheus, at: float | None = None, *, partitions: int = 1) -> list[Answer]:
    """Asks every query of every panel for a moment, and gives what an operator would see.

    Args:
        prometheus: has scraped the processes.
        at: the moment, seconds since 1970; now, if none is named.
        partitions: of the event log: what the dashboards' variable says.
    """
    moment = time.time() if at is None else at
    answers = []
    for asked in queries(rate_interval=prometheus.rate_interval, partitions=partitions):
        try:
            found = prometheus.query(asked.expression, moment)
        except ValueError as refusal:
            answers.append(Answer(asked, str(refusal), ()))
        else:
            answers.append(Answer(asked, "", tuple(series for series in found if not math.isnan(series.value))))
    return answers


def shown(answers: Sequence[Answer], panel: str, legend: str | None = None) -> list[Series]:
    """Gives what a panel shows; of one of its queries, if its legend is named."""
    return [
        series
        for answer in answers
        if answer.asked.panel == panel and legend in (None, answer.asked.legend)
        for series in answer.series
    ]
