"""The rule file: groups of rules as the YAML that Prometheus reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain

from monitoring.alerts.lasting import lasting
from monitoring.alerts.live import live
from monitoring.alerts.nightly import nightly, promised
from monitoring.alerts.objectives import budgets
from monitoring.alerts.rules import Alert, Group, Options, Record

FILE = "hotbasket.yml"


def groups(options: Options) -> list[Group]:
    """Gives every rule of an installation."""
    cold = [nightly(options)] if options.night else []
    return [*budgets(options), *lasting(options), live(options), *cold, promised(options)]


def alerts(options: Options) -> list[Alert]:
    """Gives every alert; one on a budget stands there once for each window."""
    return [rule for group in groups(options) for rule in group.rules if isinstance(rule, Alert)]


def build(options: Options) -> str:
    """Gives the rule file; the same options give the same bytes."""
    return "\n".join(chain(["groups:"], *(_group(group, options) for group in groups(options)))) + "\n"


def _group(group: Group, options: Options) -> Iterator[str]:
    yield f"  - name: {json.dumps(group.name)}"
    yield "    rules:"
    for rule in group.rules:
        match rule:
            case Record():
                yield f"      - record: {rule.name}"
                yield from _expression(rule.expression)
            case Alert():
                yield f"      - alert: {rule.name}"
                yield from _expression(rule.expression)
                yield from _about(rule, options)


def _about(alert: Alert, options: Options) -> Iterator[str]:
    if alert.for_s:
        yield f"        for: {options.window(alert.for_s)}"
    yield "        labels:"
    yield f"          severity: {alert.severity}"
    if alert.over:
        yield f"          over: {alert.over}"
    yield "        annotations:"
    # A JSON string is one of YAML, whatever stands in it.
    yield f"          summary: {json.dumps(alert.summary)}"
    yield f"          description: {json.dumps(alert.description)}"
    yield f"          runbook_url: {json.dumps(f'{options.runbook}#{alert.section}')}"


def _expression(expression: str) -> Iterator[str]:
    yield "        expr: |-"
    yield from (f"          {line}" for line in expression.splitlines())
