"""Growth of counters that may be born, or found again after a restart, with what is to be seen already in them."""

from __future__ import annotations

from monitoring.alerts.rules import DAY_S, Options


def grown(options: Options, counter: str, window_s: int, above: int, *, by: str) -> str:
    """Gives where a counter grew by more than a bound.

    `increase` sees nothing of a series' first value, nor across a gap in the scrapes. So what was born within the
    window, by its own word, counts as a whole; and what was known before it, for a day, is compared with what it is.

    Args:
        options: of the installation.
        counter: its name, without `_total`.
        window_s: in which it grew.
        above: the bound.
        by: labels that stay.
    """
    total, created = options.of(f"{counter}_total"), options.of(f"{counter}_created")
    window, before = options.window(window_s), options.window(DAY_S)
    return (
        f"sum by ({by}) (increase({total}[{window}])) > {above}\n"
        f"or\nsum by ({by}) ({total} and {created} > time() - {options.scaled(window_s)}) > {above}\n"
        f"or\nsum by ({by}) ({total} - last_over_time({total}[{before}] offset {window})) > {above}"
    )
