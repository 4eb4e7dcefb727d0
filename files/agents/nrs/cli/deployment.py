"""The directory on the control node with what only a deployment's operators have.

signing_key       signs tokens and the list of revocations
public_keys       what services check with; several while the signing key is changed
revocations       the list, as it is sent to the services
issued_tokens     the ledger
ca_key, ca.pem    the CA, and its certificate before those of earlier ones
certificates/     servers' certificates and keys
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from nrs.identity import keys, ledger, revocations, whole_file
from nrs.identity.ledger import Ledger, LedgerDamaged
from nrs.identity.revocations import Revocations, RevocationsRefused


class Failed(click.ClickException):
    """A command cannot go on; the text names file or option. Exit status 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, err=True, file=file)


class Deployment:
    """The files of `directory`. Everything here raises Failed where one cannot be used.

    `signing_key`, in PEM, stands in the place of the file of that name, and `ca`, the key and the
    certificates, in that of the CA's.
    """

    def __init__(
        self, directory: Path, signing_key: str | None = None, ca: tuple[str, str] | None = None
    ) -> None:
        self.directory, self._signing_key, self.given_ca = directory, signing_key, ca
        self.signing_key_file = directory / "signing_key"
        self.public_keys_file = directory / "public_keys"
        self.revocations_file = directory / "revocations"
        self.ledger_file = directory / "issued_tokens"
        self.ca_key_file = directory / "ca_key"
        self.ca_file = directory / "ca.pem"
        self.certificates = directory / "certificates"

    def signing_key(self) -> Ed25519PrivateKey:
        """The key that tokens are signed with."""
        if self._signing_key is not None:
            return self._given(self._signing_key)
        if not self.signing_key_file.exists():
            raise Failed(f"{self.signing_key_file}: no such file; `nrs token keys` makes it")
        try:
            return keys.read_private(self.signing_key_file)
        except keys.KeyRefused as error:
            raise Failed(str(error)) from None

    def public_keys(self) -> tuple[Ed25519PublicKey, ...]:
        """That of the signing key, and others that services accept as well."""
        own = self.signing_key().public_key()
        if not self.public_keys_file.exists():
            return (own,)
        try:
            listed = keys.read_public(self.public_keys_file)
        except keys.KeyRefused as error:
            raise Failed(str(error)) from None
        return (own, *(key for key in listed if key != own))

    def revocations(self) -> Revocations:
        """The list as it is."""
        if not self.revocations_file.exists():
            return Revocations()
        try:
            text = self.revocations_file.read_text(encoding="ascii", errors="replace").strip()
            return revocations.read(text, self.public_keys())
        except OSError as error:
            raise Failed(f"{self.revocations_file}: {error.strerror}") from None
        except RevocationsRefused as error:
            raise Failed(f"{self.revocations_file}: {error}; a service has the list too") from None

    def keep(self, of: Revocations) -> None:
        """Sign a list and put it in the place of the one before."""
        text = revocations.signed(of, self.signing_key())
        if len(text) > revocations.LARGEST:
            raise Failed(
                f"{self.revocations_file}: the list would have {len(text)} bytes, and services take"
                f" {revocations.LARGEST}; nothing was revoked. --id and --issued-before"
                " take less than many serials of one id; a new signing key ends all tokens at once"
            )
        self.write(self.revocations_file, text + "\n", 0o640)

    @contextmanager
    def ledger(self, now: float | None = None) -> Iterator[Ledger]:
        """The ledger, locked: what is done meanwhile nobody else does.

        Whoever writes says the time, long before which ended tokens are of no use.
        """
        try:
            with ledger.opened(self.ledger_file, now) as opened:
                yield opened
        except LedgerDamaged as error:
            raise Failed(str(error)) from None
        except OSError as error:
            raise Failed(f"{error.filename or self.ledger_file}: {error.strerror}") from None

    def make(self) -> None:
        """The directory, where there is none: for its owner alone, and kept out of git."""
        if self.directory.is_dir():
            return
        try:
            self.directory.mkdir(mode=0o700, parents=True)
            (self.directory / ".gitignore").write_text("*\n", encoding="ascii")
        except OSError as error:
            raise Failed(f"{self.directory}: {error.strerror}") from None

    @property
    def has_signing_key(self) -> bool:
        """Whether there is one."""
        return self._signing_key is not None or self.signing_key_file.exists()

    @property
    def has_ca_key(self) -> bool:
        """Whether there is a CA that can make certificates."""
        return self.given_ca is not None or self.ca_key_file.exists()

    @staticmethod
    def _given(pem: str) -> Ed25519PrivateKey:
        try:
            return keys.private_key(pem)
        except keys.KeyRefused as error:
            raise Failed(f"the signing key that was given is {error}") from None

    @staticmethod
    def write(path: Path, text: str, mode: int = whole_file.SECRET) -> None:
        """Put `text` in the place of a file, if there is one."""
        try:
            whole_file.replace(path, text, mode)
        except OSError as error:
            raise Failed(f"{path}: {error.strerror}") from None
