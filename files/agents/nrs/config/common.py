"""Sections that several of the configuration files have."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field, PrivateAttr, SecretStr, StrictBool, model_validator
from typing_extensions import Self

from nrs.config.types import Network, Seconds, Section, Urls
from nrs.identity.keys import read_public
from nrs.identity.token_file import Tokens, holds_tokens
from nrs.identity.token_file import parse as parse_tokens

DEFAULT_TOKEN_FILE = Path("/etc/network-routing-system/api_token")
LEAST_TOKEN_CHARACTERS = 32
_TOKEN = re.compile(rf"[!-~]{{{LEAST_TOKEN_CHARACTERS},4096}}")

LOOPBACK: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
]


class Api(Section):
    """How this agent proves itself to an API.

    Without `token` and `token_file`, `/etc/network-routing-system/api_token` is
    used where it exists. The file holds tokens that the deployment has signed, one a line
    for each service, or one secret for all. A service shows `certificate_file`, the intermediate
    ones behind it, and has `key_file`; with neither it serves plain HTTP. A client trusts `ca_file`
    alone, which may hold several CAs; without it, the public ones.
    """

    token: SecretStr | None = None
    token_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    ca_file: Path | None = None
    _value: str | None = PrivateAttr(default=None)
    _tokens: Tokens | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _resolve(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("takes one of token and token_file, not both")
        if self.token is not None:
            self._value = _checked(self.token.get_secret_value(), "token")
            return self
        path = self.token_file or DEFAULT_TOKEN_FILE
        try:
            text = path.read_text(encoding="ascii")
            if holds_tokens(text):
                self._tokens = parse_tokens(text, str(path))
            else:
                self._value = _checked(text.strip(), str(path))
        except FileNotFoundError:
            if self.token_file is not None:
                raise ValueError(f"cannot read {path}: no such file") from None
        except OSError as error:
            # Going on without the token that is there would lock every other host out.
            raise ValueError(f"cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"{path} must hold plain ASCII text") from None
        return self

    @model_validator(mode="after")
    def _certified(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("takes both of certificate_file and key_file, or neither")
        if self.certificate_file is not None and self.key_file is not None:
            from nrs.config.certificates import check_pair  # noqa: PLC0415 - keeps starts quick

            check_pair(self.certificate_file, self.key_file)
        if self.ca_file is not None:
            _check_authorities(self.ca_file)
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


class ServiceApi(Api):
    """Whom a service believes, beside how it proves itself to its siblings.

    With `signers_file` each caller states a token that one of these keys has signed for one of
    `urls`, which is what the service is called in the files of others. With `shared_token_file`
    as well, the secret in it is taken too, until all devices have tokens of their own.
    """

    urls: Urls | None = None
    signers_file: Path | None = None
    shared_token_file: Path | None = None
    revocations_file: Path | None = None
    """A list that others put there; the one in the state directory holds if it is newer."""
    peers: Urls | None = None
    """Services that are asked for a newer list of revocations."""
    loopback_reads: StrictBool = False
    trusted_networks: list[Network] = Field(default_factory=lambda: list(LOOPBACK))
    """Networks that read without a token, where all others share one."""
    refused_networks: list[Network] = Field(default_factory=list)
    _signers: tuple[Ed25519PublicKey, ...] = PrivateAttr(default=())
    _shared: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _read_signers(self) -> Self:
        if self.signers_file is None:
            if self.shared_token_file is not None:
                raise ValueError("shared_token_file goes with signers_file; alone it is token_file")
            self._shared = self._value
            return self
        if self.urls is None:
            raise ValueError("urls is needed with signers_file: tokens are made for them")
        if self._value is not None:
            raise ValueError("takes one of token and signers_file, not both")
        self._signers = read_public(self.signers_file)
        if self.shared_token_file is not None:
            self._shared = _secret_in(self.shared_token_file)
        return self

    @property
    def signers(self) -> tuple[Ed25519PublicKey, ...]:
        """The keys that sign tokens; none where nothing is signed."""
        return self._signers

    @property
    def shared_token(self) -> str | None:
        """The one secret that callers may show in place of a token of their own, if any."""
        return self._shared


def _secret_in(path: Path) -> str:
    try:
        return _checked(path.read_text(encoding="ascii").strip(), str(path))
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} must hold plain ASCII text") from None


def _check_authorities(path: Path) -> None:
    """Not whether they have expired: that must not keep an agent with tunnels from starting."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} holds no certificate in PEM") from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise ValueError(f"{path} holds no certificate in PEM")


def _checked(token: str, where: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise ValueError(
            f"{where} must have at least {LEAST_TOKEN_CHARACTERS} characters, without spaces;"
            " generate one with: openssl rand -hex 32"
        )
    return token


class LoadBalancerAccess(Section):
    """Where the load balancers are; the next in the list is asked when one fails."""

    url: Urls


class PolledLoadBalancer(LoadBalancerAccess):
    """The load balancer as an endpoint uses it; without `use` it is not asked."""

    use: StrictBool = True
    poll_interval: Seconds = 10.0


class NetworkControllerAccess(Section):
    """Where the controller is. Without `url` the agent does not register."""

    url: Urls | None = None
    status_interval: Seconds = 10.0
