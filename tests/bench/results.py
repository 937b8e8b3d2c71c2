"""What was measured, section by section, kept beside the page: a rerun of one section leaves the others alone."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench.servers import CHECKOUT

FILE = CHECKOUT / "docs" / "benchmarks.json"
PAGE = CHECKOUT / "docs" / "benchmarks.md"
Sections = dict[str, dict[str, Any]]  # Any: each section has figures of its own shape
"""By name: `measured` (the date), `machine` and `figures`."""


def kept(file: Path = FILE) -> Sections:
    """Gives what was measured so far."""
    try:
        sections: Sections = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return sections


def keep(sections: Sections, file: Path = FILE) -> None:
    """Writes everything."""
    file.write_text(json.dumps(sections, indent=1, default=float) + "\n", encoding="utf-8")


def section(figures: Any) -> dict[str, Any]:
    """Gives a section measured now, on this machine."""
    return {"measured": f"{datetime.now(UTC):%Y-%m-%d}", "machine": _machine(), "figures": figures}


def _machine() -> dict[str, str]:
    """Gives what the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "processor": f"{model}, {os.cpu_count()} cores",
        "memory": f"{memory_kib / 2**20:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "server": f"uvicorn {version('uvicorn')}, uvloop {version('uvloop')}, httptools {version('httptools')}",
    }
