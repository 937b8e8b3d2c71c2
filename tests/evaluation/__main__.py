"""`make evaluation`: measures models, trees and rules on the real baskets, and writes docs/evaluation.md."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from rich.console import Console

from tests.conftest import CHECKOUT, REAL_DATA
from tests.evaluation import baskets, elasticities, in_session

PAGE = CHECKOUT / "docs" / "evaluation.md"
HEAD = """# How good it is

This page is written by `make evaluation` from the Complete Journey baskets (dunnhumby / 84.51); last on {date}.
Models were tuned on training and validation shoppers, layouts of trees on days before those they are played on. Where
an interval holds 0, the difference is noise. What these data can't say: they have no clicks, searches or times within a
day (those of our replays are invented), and nobody saw what we would have recommended. Whether experiences change what
people buy, only held-out shoppers can tell.
"""
SECTIONS = (baskets.section, in_session.section, elasticities.section)


def main() -> None:
    """Writes the page; takes some minutes."""
    if not REAL_DATA.is_dir():
        sys.exit(f"needs the real baskets in {REAL_DATA}: put them there or set HOTBASKET_SHARED")
    console = Console(stderr=True)
    parts = [HEAD.format(date=f"{datetime.now(UTC):%-d %B %Y}")]
    for section in SECTIONS:
        started_s = time.monotonic()
        with console.status(section.__module__):
            parts.append(section(REAL_DATA).strip() + "\n")
        console.print(f"{section.__module__}: {time.monotonic() - started_s:.0f} s")
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    console.print(f"wrote {PAGE.relative_to(CHECKOUT)}")


if __name__ == "__main__":
    main()
