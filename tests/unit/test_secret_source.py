"""The key-encryption key of a data directory: changed in steps that no kill can spoil, by one command at a time."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.secret_source import DirectorySecrets
from adapters.secrets import Secrets, load_secrets, secrets_file, secrets_of
from adapters.settings import load_settings
from domain.errors import Refused

HEX = {"subscription_secret": "ab" * 32, "identity_secret": "cd" * 32, "identity_secret_before": "ef" * 32}


def names(data: Path) -> list[str]:
    """The names of the secrets in the file."""
    return sorted(json.loads(secrets_file(data).read_bytes()))


def test_a_change_keeps_the_key_before_until_it_ends(tmp_path: Path) -> None:
    """Then the new one is alone; what signs subscriptions is left as it is, and the file is its owner's."""
    source, before = DirectorySecrets(tmp_path), load_secrets(tmp_path)
    source.begin_change()
    both = source.read()
    assert (before.subscription, before.identity) == (both.subscription, both.identity_before)
    assert (True, 32) == (both.identity != before.identity, len(both.identity))
    source.end_change()
    assert both._replace(identity_before=b"") == source.read() == load_secrets(tmp_path)
    assert ["identity", "subscription"] == names(tmp_path)
    assert 0o600 == stat.S_IMODE(secrets_file(tmp_path).stat().st_mode)
    assert [secrets_file(tmp_path)] == list(tmp_path.iterdir())


def test_a_change_that_was_begun_goes_on(tmp_path: Path) -> None:
    """Who begins again makes no third key: keys are wrapped under the second already."""
    source = DirectorySecrets(tmp_path)
    source.begin_change()
    both = source.read()
    source.begin_change()
    assert both == source.read()


def test_the_file_stays_its_owners(tmp_path: Path) -> None:
    """Who runs the system reads what an administrator's command has changed."""
    load_secrets(tmp_path)
    if os.geteuid() == 0:
        os.chown(secrets_file(tmp_path), 65_534, 65_534)
    before = secrets_file(tmp_path).stat()
    DirectorySecrets(tmp_path).begin_change()
    after = secrets_file(tmp_path).stat()
    assert (before.st_uid, before.st_gid, before.st_mode) == (after.st_uid, after.st_gid, after.st_mode)
    assert before.st_ino != after.st_ino


def test_an_end_without_a_change_is_none(tmp_path: Path) -> None:
    """The file is not even written."""
    source = DirectorySecrets(tmp_path)
    source.read()
    number = secrets_file(tmp_path).stat().st_ino
    source.end_change()
    assert number == secrets_file(tmp_path).stat().st_ino


def test_what_a_killed_command_left_is_written_over(tmp_path: Path) -> None:
    """A draft that never came into force harms nobody."""
    source, before = DirectorySecrets(tmp_path), load_secrets(tmp_path)
    (tmp_path / ".secrets.json.next").write_text('{"identity": ')
    assert before == source.read()
    source.begin_change()
    assert before.identity == source.read().identity_before
    assert [secrets_file(tmp_path)] == list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [0, 31])
def test_a_damaged_key_before_is_refused(tmp_path: Path, length: int) -> None:
    """A file that was cut by hand is no file with one key less."""
    load_secrets(tmp_path)
    kept = json.loads(secrets_file(tmp_path).read_bytes())
    secrets_file(tmp_path).write_text(json.dumps({**kept, "identity_before": "00" * length}))
    with pytest.raises(Refused, match=r"damaged: put its backup"):
        load_secrets(tmp_path)


def test_one_changes_them_while_nobody_needs_them_steady(tmp_path: Path) -> None:
    """Two that need them steady stand each other; whoever comes in between is told to try again."""
    source, other = DirectorySecrets(tmp_path), DirectorySecrets(tmp_path)
    with source.steady(), other.steady(), pytest.raises(Refused, match="try again"), other.changing():
        pass
    with source.changing():
        for taken in (other.changing(), other.steady()):
            with pytest.raises(Refused, match=r"in use by another command: try again"), taken:
                pass
    with other.changing():
        pass


def test_servers_are_given_both_while_they_change() -> None:
    """The one before is there only where it is set."""
    set_ = {name: SecretStr(secret) for name, secret in HEX.items()}
    wanted = Secrets(*(bytes.fromhex(secret) for secret in HEX.values()))
    assert wanted == secrets_of(load_settings(**set_), needed=True)
    del set_["identity_secret_before"]
    assert wanted._replace(identity_before=b"") == secrets_of(load_settings(**set_), needed=True)


def test_a_malformed_key_before_is_refused() -> None:
    """With its name and not with what it is."""
    malformed = {name: SecretStr(secret) for name, secret in HEX.items()} | {
        "identity_secret_before": SecretStr("abcd")
    }
    with pytest.raises(Refused, match=r"^HOTBASKET_IDENTITY_SECRET_BEFORE must be 64 hex digits") as raised:
        secrets_of(load_settings(**malformed), needed=True)
    assert "abcd" not in str(raised.value)
