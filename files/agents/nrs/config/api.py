"""The section `api` of a device: how it proves itself to services, and whom it trusts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import PrivateAttr, SecretStr, model_validator
from typing_extensions import Self

from nrs.config import text_file
from nrs.config.types import Section
from nrs.identity.credential import REPLACEMENT
from nrs.identity.keys import read_public
from nrs.identity.token_file import Tokens, TokensRefused, holds_tokens
from nrs.identity.token_file import parse as parse_tokens

DEFAULT_TOKEN_FILE = Path("/etc/network-routing-system/api_token")
SECRET = re.compile(r"[!-~]{32,4096}")
"""What earlier deployments gave to every host."""
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


class Api(Section):
    """How this agent proves itself to an API.

    Without `token` and `token_file`, `/etc/network-routing-system/api_token` is used where it
    exists. Each holds tokens that the deployment has signed, one a line for each service. The agent
    trusts the CAs in `ca_file` alone; without that, the public ones. With `signers_file` it goes by
    lists of revocations that one of these keys has signed: services', and the one in a file.
    """

    token: SecretStr | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    signers_file: Path | None = None
    revocations_file: Path | None = None
    """A list that others put there; the one in the state directory holds if it is newer."""
    KEEPS_LEFT_SECRET: ClassVar[bool] = True
    """Whether it starts with the secret that earlier deployments left in the default file.

    A host has this release before it has tokens of its own, and a restart then must not cost
    tunnels. Services take the secret only while they change over.
    """
    _tokens: Tokens = PrivateAttr(default=Tokens())
    _left_secret: str | None = PrivateAttr(default=None)
    _signers: tuple[Ed25519PublicKey, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _resolve(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("takes one of token and token_file, not both")
        if self.token is not None:
            self._tokens = self._signed(self.token.get_secret_value(), "token", "FILE")
            return self
        # Going on without a token that is there would lock every other host out.
        path = self.token_file or DEFAULT_TOKEN_FILE
        text = text_file.find(path) if self.token_file is None else text_file.read(path)
        if text is None:
            return self
        secret = text.strip()
        left = path == DEFAULT_TOKEN_FILE and SECRET.fullmatch(secret) and not holds_tokens(text)
        if left and self.KEEPS_LEFT_SECRET:
            self._left_secret = secret
        else:
            self._tokens = self._signed(text, f"token_file: {path}", str(path))
        return self

    def _signed(self, text: str, where: str, file: str) -> Tokens:
        if not holds_tokens(text):
            raise ValueError(
                f"{where} holds no signed token, and a secret that all share is not accepted:"
                f" {self.in_place_of_secret(file)}"
            )
        try:
            return parse_tokens(text, file)
        except TokensRefused as error:
            raise ValueError(f"{where}, {error}") from None

    def in_place_of_secret(self, file: str) -> str:
        """What is to be written in the place of a secret that all share."""
        return f"write token_file: {file}, with what this makes: {REPLACEMENT} --file {file}"

    @property
    def left_secret_warning(self) -> str | None:
        """A line on the secret that an earlier deployment has left, where it is still in use."""
        if self._left_secret is None:
            return None
        path = DEFAULT_TOKEN_FILE
        return (
            f"api: token_file: {path} holds the secret that all shared, which services take only"
            f" while they change over: {self.in_place_of_secret(str(path))}"
        )

    @model_validator(mode="after")
    def _trusts(self) -> Self:
        # Not whether they have expired: that must not keep an agent with tunnels from starting.
        if self.ca_file is not None and _CERTIFICATE not in text_file.read(self.ca_file):
            raise ValueError(f"{self.ca_file} holds no certificate in PEM")
        return self

    @model_validator(mode="after")
    def _believes(self) -> Self:
        if self.signers_file is not None:
            self._signers = read_public(self.signers_file)
        elif self.revocations_file is not None:
            raise ValueError("revocations_file goes with signers_file")
        return self

    @property
    def signers(self) -> tuple[Ed25519PublicKey, ...]:
        """The keys that sign tokens and lists of revocations; none where nothing is signed."""
        return self._signers

    def asked(self, *urls: Sequence[str] | None) -> list[str]:
        """Those of these services that are asked what is revoked."""
        found = itertools.chain.from_iterable(some or () for some in urls)
        return list(dict.fromkeys(found)) if self._signers else []

    @property
    def watched(self) -> str | None:
        """The file that a list of revocations is put in, if any."""
        return None if self.revocations_file is None else str(self.revocations_file)

    def tokens(self, *urls: Sequence[str] | None) -> dict[str, str]:
        """What to state to each of these services, by URL, as far as there is something."""
        found = {}
        for url in itertools.chain.from_iterable(some or () for some in urls):
            token = next(iter(self._tokens.tokens_for(url)), self._left_secret)
            if token is not None:
                found[url] = token
        return found
