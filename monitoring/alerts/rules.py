"""What a rule file is made of: options of an installation, recording rules, alerts, groups of both."""

from __future__ import annotations

from typing import Literal, NamedTuple

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S

_UNITS = (("d", DAY_S * 1_000), ("h", HOUR_S * 1_000), ("m", MINUTE_S * 1_000), ("s", 1_000), ("ms", 1))


class Options(NamedTuple):
    """What differs from one installation to the next.

    Attributes:
        partitions: of the event log.
        log_days: for which Kafka keeps records, `migrate --retention-days`.
        due_days: within which a privacy request has to be done, HOTBASKET_PRIVACY_DUE_DAYS.
        runbook: URL or path of docs/operations.md, to which each alert adds its section.
        only: matchers of labels, as PromQL has them, that tell this installation's series from those of others in the
            same Prometheus; empty = there are no others.
        archiver, night: whether there is one; where there is none, nothing of it can be missing.
        scale: divides every window, wait and bound of days: 60 makes minutes of hours, for a test of seconds.
    """

    partitions: int = 64
    log_days: int = 7
    due_days: int = 30
    runbook: str = "docs/operations.md"
    only: str = ""
    archiver: bool = True
    night: bool = True
    scale: int = 1

    def of(self, name: str, *matchers: str) -> str:
        """Gives the selector of a metric of this installation."""
        inside = ", ".join(one for one in (*matchers, self.only) if one)
        return f"{name}{{{inside}}}" if inside else name

    def window(self, seconds: int) -> str:
        """Gives a duration as Prometheus writes it, in its largest whole unit."""
        return duration(seconds * 1_000 // self.scale)

    def scaled(self, seconds: int) -> int:
        """Gives a bound of an age, in seconds."""
        return seconds // self.scale


class Record(NamedTuple):
    """A recording rule.

    Attributes:
        name: of the series.
        expression: what it holds.
    """

    name: str
    expression: str


class Alert(NamedTuple):
    """An alert.

    Attributes:
        name: Hotbasket, and what is wrong.
        severity: `page` wakes somebody up: shoppers notice, or waiting loses something; `ticket` is for the next
            working hours.
        expression: gives a series where something is wrong; its value goes into the description.
        for_s: how long it has to be wrong; 0 only with `at_once`.
        summary: what is wrong, in a few words.
        description: the same with the value, in Prometheus' templates.
        section: anchor in docs/operations.md.
        at_once: why nothing is waited for; never shown.
        over: the long window of a budget's burn, a label; empty = none.
    """

    name: str
    severity: Literal["page", "ticket"]
    expression: str
    for_s: int
    summary: str
    description: str
    section: str
    at_once: str = ""
    over: str = ""


class Group(NamedTuple):
    """Rules that are evaluated one after the other.

    Attributes:
        name: of the group.
        rules: a recording rule before those that ask for it.
    """

    name: str
    rules: tuple[Record | Alert, ...]


def duration(milliseconds: int) -> str:
    """Gives a duration as Prometheus writes it, in its largest whole unit.

    Args:
        milliseconds: at least 1.
    """
    return next(f"{milliseconds // size}{unit}" for unit, size in _UNITS if milliseconds % size == 0)
