"""Growth of counters that may be born, or found again after a restart, with what is to be seen already in them."""

from __future__ import annotations


def grown(counter: str, window: str, above: int, *, by: str) -> str:
    """Gives where a counter grew by more than a bound.

    `increase` sees nothing of a series' first value; so what was not there a window ago counts as a whole.

    Args:
        counter: its name.
        window: as Prometheus writes it.
        above: the bound.
        by: labels that stay.
    """
    return (
        f"sum by ({by}) (increase({counter}[{window}])) > {above}\n"
        f"or\nsum by ({by}) ({counter} unless {counter} offset {window}) > {above}"
    )
