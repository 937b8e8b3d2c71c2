"""One Postgres server with the role `hotbasket`, who may do everything, and a database of that name."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

from tests.services.certificates import ServerCertificate
from tests.services.server import HOST, Account, Server, ServerError, run_to_end

USER = DATABASE = "hotbasket"
_DEBIAN = Path("/usr/lib/postgresql")
_ANYBODY = 0o001


class Postgres(Server):
    """A server; as root it runs as the user `postgres`, and keeps its data where that user can reach it.

    Args:
        folder: of its log, and of its data where possible.
        port: for clients.
        password: of the role `hotbasket`; without one, anybody on this machine may be that role.
        certificate: with it, clients speak TLS.
        settings: of postgresql.conf, over the defaults below.
    """

    name = "postgres"
    # Ends at once in good order, without waiting for clients to leave.
    stop_signal = signal.SIGINT

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        password: str = "",
        certificate: ServerCertificate | None = None,
        settings: dict[str, str] | None = None,
    ) -> None:
        super().__init__(folder, port)
        self._password = password
        self._certificate = certificate
        self._settings = settings or {}
        self._account: Account | None = None
        self._outside: Path | None = None

    @property
    def url(self) -> str:
        """The database's address as settings have it."""
        return f"postgresql://{self.address}/{DATABASE}"

    @property
    def outside(self) -> list[Path]:
        """Where its data is, if its user could not reach its folder."""
        return [] if self._outside is None else [self._outside]

    def start(self) -> None:
        """Starts it and waits until it serves; the first time, makes the database."""
        super().start()
        made = self.folder / "database-made"
        if not made.exists():
            where = ["--host", HOST, "--port", str(self.port), "--username", USER]
            run_to_end([_binary("createdb"), *where, DATABASE], PGPASSWORD=self._password)
            made.touch()

    def _prepare(self) -> tuple[list[str], Account | None]:
        if os.getuid() == 0 and self._account is None:
            self._become_postgres()
        data = self._home() / "data"
        if not (data / "PG_VERSION").exists():
            self._make(data)
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "32MB",
            # Its machine never fails in these tests, only its processes do.
            "fsync": "off",
            **self._settings,
        }
        if self._certificate is not None:
            settings |= {"ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key"}
        command = [_binary("postgres"), "-D", str(data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return command, self._account

    def _ready_lines(self) -> tuple[bytes, ...]:
        return (b"database system is ready to accept connections",)

    def _home(self) -> Path:
        return self._outside or self.folder

    def _become_postgres(self) -> None:
        try:
            self._account = Account.named("postgres")
        except KeyError:
            raise ServerError(
                "Postgres never runs as root: make a user `postgres`, or run the tests as another"
            ) from None
        if not all(parent.stat().st_mode & _ANYBODY for parent in (self.folder, *self.folder.parents)):
            self._outside = Path(tempfile.mkdtemp(prefix="hotbasket-postgres-"))
            self._outside.chmod(0o755)

    def _make(self, data: Path) -> None:
        """Makes an empty cluster."""
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700)
        self._give(data)
        method = "scram-sha-256" if self._password else "trust"
        command = [_binary("initdb"), "--pgdata", str(data), "--username", USER, "--no-sync"]
        command += ["--encoding", "UTF8", "--locale", "C", "--auth", method]
        secret = self._home() / "password"
        if self._password:
            secret.write_text(self._password)
            secret.chmod(0o600)
            self._give(secret)
            command += ["--pwfile", str(secret)]
        run_to_end(command, self._account)
        secret.unlink(missing_ok=True)
        kind = "hostssl" if self._certificate is not None else "host"
        (data / "pg_hba.conf").write_text(f"{kind} all all {HOST}/32 {method}\n")
        if self._certificate is not None:
            for name, source in (("server.crt", self._certificate.chain), ("server.key", self._certificate.key)):
                (data / name).write_bytes(source.read_bytes())
                (data / name).chmod(0o600)
                self._give(data / name)

    def _give(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)


def _binary(name: str) -> str:
    """Gives a program of Postgres: from the path, else the newest that Debian installed off it.

    Raises:
        ServerError: there is none.
    """
    if found := shutil.which(name):
        return found
    installed = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    if not installed:
        raise ServerError("Postgres is not here: apt-get install postgresql")
    return str(installed[-1])
