"""Pieces of PromQL: each selects by the dashboard's `$job` and `$instance`, each rate is over `$__rate_interval`."""

from __future__ import annotations

_SELECTED = 'job=~"$job", instance=~"$instance"'
_RANGE = "[$__rate_interval]"


def of(metric: str, *matchers: str) -> str:
    """Gives a selector.

    Args:
        metric: its name as Prometheus stores it: a counter ends in `_total`.
        matchers: more of them, like `outcome="stored"`.
    """
    return f"{metric}{{{', '.join((_SELECTED, *matchers))}}}"


def rate(metric: str, *matchers: str, by: str = "") -> str:
    """Gives a counter's growth a second over all processes, by some labels."""
    return f"sum{_by(by)}(rate({of(metric, *matchers)}{_RANGE}))"


def grown(metric: str, *matchers: str, by: str = "") -> str:
    """Gives how much a counter of rare things grew in one step: 1 restart reads better than 0.017 a second."""
    return f"sum{_by(by)}(increase({of(metric, *matchers)}{_RANGE}))"


def quantile(share: float, histogram: str, by: str = "") -> str:
    """Gives a quantile of a histogram over all processes; NaN while nothing is observed."""
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', by=labels)})"


def within(bound: str, histogram: str) -> str:
    """Gives the share of observations up to a bucket's bound; nothing while nothing is observed.

    Args:
        bound: as the `le` label has it.
    """
    matcher = f'le="{bound}"'
    return f"{rate(f'{histogram}_bucket', matcher)} / ({rate(f'{histogram}_count')} > 0)"


def largest(gauge: str) -> str:
    """Gives a gauge's largest value: who does not feed it shows 0."""
    return most(gauge)


def most(gauge: str, by: str = "") -> str:
    """Gives a gauge's largest value by some labels, whichever process says so."""
    return f"max{_by(by)}({of(gauge)})"


def filled(depth: str, bound: str) -> str:
    """Gives how much of a bound is used, by process, as a share; nothing of a process without such a bound."""
    return f"{of(depth)} / ({of(bound)} > 0)"


def else_zero(expression: str) -> str:
    """Gives an expression without labels, or 0 where it has none: nobody is scraped, or nothing is to be counted."""
    return f"({expression} or vector(0))"


def _by(labels: str) -> str:
    return f" by ({labels}) " if labels else ""
