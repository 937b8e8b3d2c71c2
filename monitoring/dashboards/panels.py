"""What a dashboard is made of: plain values, without Grafana's library."""

from __future__ import annotations

from typing import NamedTuple

from monitoring.dashboards.promql import quantile


class Query(NamedTuple):
    """One query of a panel.

    Attributes:
        expression: PromQL with Grafana's variables.
        legend: the name of its series; `{{label}}` is the label's value.
    """

    expression: str
    legend: str


class Limits(NamedTuple):
    """From where a value is worth a look, and from where it is bad; `bad` below `warn` means that little is bad."""

    warn: float
    bad: float


class Stat(NamedTuple):
    """The value of now, large, in the colour that it deserves.

    Attributes:
        title: a few words.
        description: one sentence: what it shows, and what is bad.
        unit: Grafana's name of it.
        limits: what colours the first query's value.
        queries: the first is judged; others stand beside it without a colour.
        decimals: digits behind the point; None leaves that to Grafana.
        empty: what stands there without a value.
    """

    title: str
    description: str
    unit: str
    limits: Limits
    queries: tuple[Query, ...]
    decimals: int | None = None
    empty: str = "no data"


class Chart(NamedTuple):
    """Values over time.

    Attributes:
        title: a few words.
        description: one sentence: what it shows, and what is bad.
        unit: Grafana's name of it.
        queries: each may give several series.
        limits: drawn as lines, where there is a bad value.
        stacked: whether the series add up to something.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    limits: Limits | None = None
    stacked: bool = False


class Row(NamedTuple):
    """Panels under one heading, from left to right.

    Attributes:
        title: the heading.
        width: of each panel, in columns; a line has 24.
        panels: in reading order.
    """

    title: str
    width: int
    panels: tuple[Stat | Chart, ...]


class Board(NamedTuple):
    """One dashboard.

    Attributes:
        uid: its address in Grafana, and the name of its file; never changes.
        title: its name.
        description: one sentence: the question that it answers.
        rows: from top to bottom.
        told_by: a metric that every process has of which the board tells; its jobs and instances can be chosen. Any
            metric of ours will do for our processes: each has all of them.
    """

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    told_by: str = "hotbasket_streams_open"


def spread(histogram: str) -> tuple[Query, ...]:
    """Gives the queries of a histogram's median, 95th and 99th percentile."""
    return tuple(Query(quantile(share, histogram), f"p{share * 100:.0f}") for share in (0.5, 0.95, 0.99))


def slowest(histogram: str, label: str) -> tuple[Query, ...]:
    """Gives the query of a histogram's 95th percentile for each value of a label."""
    return (Query(quantile(0.95, histogram, by=label), f"{{{{{label}}}}}"),)
