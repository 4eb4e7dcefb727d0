"""The section `api` of a device: how it proves itself to services, and whom it trusts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import PrivateAttr, SecretStr, model_validator
from typing_extensions import Self

from nrs.config import text_file
from nrs.config.types import Section
from nrs.identity.token_file import Tokens, holds_tokens
from nrs.identity.token_file import parse as parse_tokens

DEFAULT_TOKEN_FILE = Path("/etc/network-routing-system/api_token")
LEAST_TOKEN_CHARACTERS = 32
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_TOKEN = re.compile(rf"[!-~]{{{LEAST_TOKEN_CHARACTERS},4096}}")


class Api(Section):
    """How this agent proves itself to an API.

    Without `token` and `token_file`, `/etc/network-routing-system/api_token` is
    used where it exists. The file holds tokens that the deployment has signed, one a line
    for each service, or one secret for all. The agent trusts the CAs in `ca_file` alone; without
    that, the public ones.
    """

    token: SecretStr | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    _value: str | None = PrivateAttr(default=None)
    _tokens: Tokens | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _resolve(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("takes one of token and token_file, not both")
        if self.token is not None:
            self._value = checked_secret(self.token.get_secret_value(), "token")
            return self
        # Going on without a token that is there would lock every other host out.
        path = self.token_file or DEFAULT_TOKEN_FILE
        text = text_file.find(path) if self.token_file is None else text_file.read(path)
        if text is None:
            return self
        if holds_tokens(text):
            self._tokens = parse_tokens(text, str(path))
        else:
            self._value = checked_secret(text.strip(), str(path))
        return self

    @model_validator(mode="after")
    def _trusts(self) -> Self:
        # Not whether they have expired: that must not keep an agent with tunnels from starting.
        if self.ca_file is not None and _CERTIFICATE not in text_file.read(self.ca_file):
            raise ValueError(f"{self.ca_file} holds no certificate in PEM")
        return self

    @property
    def bearer_token(self) -> str | None:
        """The one secret for all, or None where none is configured."""
        return self._value

    def tokens(self, *urls: Sequence[str] | None) -> dict[str, str]:
        """What to state to each of these services, by URL, as far as there is something."""
        found = {}
        for url in itertools.chain.from_iterable(some or () for some in urls):
            token = next(iter(self._tokens.tokens_for(url)), None) if self._tokens else self._value
            if token is not None:
                found[url] = token
        return found


def checked_secret(token: str, where: str) -> str:
    """The text of a secret that all share. Raises ValueError that says `where` it stands."""
    if not _TOKEN.fullmatch(token):
        raise ValueError(
            f"{where} must have at least {LEAST_TOKEN_CHARACTERS} characters, without spaces;"
            " generate one with: openssl rand -hex 32"
        )
    return token
