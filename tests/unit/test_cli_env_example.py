"""`.env.example` tells the truth about every setting."""

import re
from pathlib import Path

import pytest

from adapters.settings import Settings, load_settings

VARIABLE = re.compile(r"^HOTBASKET_([A-Z0-9_]+)=(.*)$", flags=re.MULTILINE)


def test_it_names_every_setting_once_with_its_meaning(checkout: Path) -> None:
    """Each setting has one line, its description stands above it, and nothing else is set."""
    lines = (checkout / ".env.example").read_text(encoding="utf-8").splitlines()
    named = {
        match[1].lower(): lines[number - 1] for number, line in enumerate(lines) if (match := VARIABLE.fullmatch(line))
    }
    assert {name: f"# {field.description}" for name, field in Settings.model_fields.items()} == named
    assert len(named) == sum("=" in line and not line.startswith("#") for line in lines)


def test_it_sets_the_defaults(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the file as it is changes nothing."""
    for name, value in VARIABLE.findall((checkout / ".env.example").read_text(encoding="utf-8")):
        monkeypatch.setenv(f"HOTBASKET_{name}", value)
    assert Settings.model_construct() == load_settings()
