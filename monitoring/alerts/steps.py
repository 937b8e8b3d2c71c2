"""Growth of counters that may be born, or found again after a restart, with what is to be seen already in them."""

from __future__ import annotations

from monitoring.alerts.rules import Options


def grown(options: Options, counter: str, window_s: int, above: int, *, by: str) -> str:
    """Gives where a counter grew by more than a bound.

    `increase` sees nothing of a series' first value; so what was not there a window ago counts as a whole.

    Args:
        options: of the installation.
        counter: its name, without `_total`.
        window_s: in which it grew.
        above: the bound.
        by: labels that stay.
    """
    total, window = options.of(f"{counter}_total"), options.window(window_s)
    return (
        f"sum by ({by}) (increase({total}[{window}])) > {above}\n"
        f"or\nsum by ({by}) ({total} unless {total} offset {window}) > {above}"
    )
