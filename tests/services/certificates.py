"""Certificates for servers on loopback, made for one test and trusted by nobody else."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificates

from tests.services.server import HOST


class ServerCertificate(NamedTuple):
    """A server's certificate for 127.0.0.1 and localhost, in the forms that servers read.

    Attributes:
        key_and_chain: PEM: the key (PKCS #8), then the certificates.
        chain: PEM: the certificates.
        key: PEM: the key.
        store: PKCS #12 with both.
        store_password: of `store`.
    """

    key_and_chain: Path
    chain: Path
    key: Path
    store: Path
    store_password: str


class Authority:
    """A certificate authority of its own.

    Attributes:
        file: PEM file of its certificate, for clients that trust it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA()
        self.file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def issue(self, name: str, not_after: datetime | None = None) -> ServerCertificate:
        """Issues a certificate for servers on this machine; its files carry the name.

        Args:
            name: of the files.
            not_after: when it expires; None = not for years.
        """
        issued = self._authority.issue_cert(HOST, "localhost", not_after=not_after)
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        key = load_pem_private_key(issued.private_key_pem.bytes(), password=None)
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        password = f"{name}-password"
        own, *others = load_pem_x509_certificates(chain)
        store = pkcs12.serialize_key_and_certificates(
            name.encode(),
            key,  # type: ignore[arg-type] # trustme makes no keys but those that the format takes
            own,
            others,
            BestAvailableEncryption(password.encode()),
        )
        contents = {"both.pem": key_pem + chain, "chain.pem": chain, "key.pem": key_pem, "store.p12": store}
        files = {suffix: self._folder / f"{name}-{suffix}" for suffix in contents}
        for suffix, file in files.items():
            file.write_bytes(contents[suffix])
            file.chmod(0o600)
        return ServerCertificate(files["both.pem"], files["chain.pem"], files["key.pem"], files["store.p12"], password)
