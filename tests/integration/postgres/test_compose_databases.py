"""The databases of a compose installation, made by its script on a server of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.services.postgres import USER, Postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PASSWORDS = {"hotbasket": "of-control", "hotbasket_vault": "of-vault"}


@pytest.fixture(scope="module")
def made(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server with a password, on which the script ran as the image runs it."""
    secrets = tmp_path_factory.mktemp("secrets")
    for name, password in zip(("control", "vault"), PASSWORDS.values(), strict=True):
        (secrets / name).write_text(password, encoding="utf-8")
    server = Postgres(tmp_path_factory.mktemp("postgres"), password="of-admin")
    try:
        server.start()
        # The tests' server has a database of that name already; the image's has not.
        with psycopg.connect(f"{server.url.rpartition('/')[0]}/postgres", user=USER, password="of-admin") as session:
            session.autocommit = True
            session.execute(f"DROP DATABASE {USER}")
            session.execute("CREATE ROLE postgres LOGIN SUPERUSER PASSWORD 'of-admin'")
            session.execute("ALTER DATABASE postgres OWNER TO postgres")
        with psycopg.connect(
            f"{server.url.rpartition('/')[0]}/postgres", user="postgres", password="of-admin"
        ) as session:
            session.autocommit = True
            session.execute(f"ALTER ROLE {USER} RENAME TO first")
        psql = shutil.which("psql")
        assert psql is not None, "psql comes with Postgres"
        variables = os.environ | {
            "SECRETS": str(secrets),
            "POSTGRES_USER": "postgres",
            "PGPASSWORD": "of-admin",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
        }
        script = checkout / "deploy" / "compose" / "postgres.sh"
        ran = subprocess.run(["sh", script], env=variables, capture_output=True, text=True, check=False, timeout=60)
        assert ran.returncode == 0, ran.stderr
        yield server
    finally:
        server.discard()


@pytest.mark.parametrize("role", PASSWORDS)
def test_each_role_owns_its_database_alone(made: Postgres, role: str) -> None:
    """A role makes tables in its own database, and is let into no other of ours."""
    address = made.url.rpartition("/")[0]
    with psycopg.connect(f"{address}/{role}", user=role, password=PASSWORDS[role]) as session:
        session.execute("CREATE TABLE probe (one integer)")
        session.rollback()
    (other,) = PASSWORDS.keys() - {role}
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(f"{address}/{other}", user=role, password=PASSWORDS[role])
