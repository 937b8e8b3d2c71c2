"""The folder of backups' keys: whole files, each removed when its time is over, whatever else lies there."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.backup_keys import BackupKeys
from adapters.secrets import Secrets
from domain.errors import Refused

SECRETS = Secrets(subscription=b"s" * 32, identity=b"i" * 32)


def test_a_damaged_key_keeps_no_other(tmp_path: Path) -> None:
    """Keys whose time is over go; the damaged one is told of, each time."""
    keys = BackupKeys(tmp_path / "keys")
    for backup_id, ends_at_ms in (("alpha", 5), ("beta", 5), ("gamma", 500)):
        keys.make(backup_id, SECRETS, ends_at_ms)
    (tmp_path / "keys" / "alpha.key").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(Refused, match=r"alpha\.key is damaged"):
            keys.expire(5)
    assert ["alpha.key", "gamma.key"] == sorted(path.name for path in (tmp_path / "keys").iterdir())


def test_a_key_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """Nothing else is left behind, and no key takes the place of another."""
    keys = BackupKeys(tmp_path)
    key = keys.make("alpha", SECRETS, 5)
    assert ["alpha.key"] == [path.name for path in tmp_path.iterdir()]
    assert key == keys.key("alpha", SECRETS, 4)
    with pytest.raises(Refused, match="can't keep the backup's key"):
        keys.make("alpha", SECRETS, 9)
    assert key == keys.key("alpha", SECRETS, 4)
