"""The section `api` of a service: whom it believes, and what it shows."""

from __future__ import annotations

import ipaddress
import time
from pathlib import Path

from pydantic import Field, PrivateAttr, StrictBool, model_validator
from typing_extensions import Self

from nrs.config import text_file
from nrs.config.api import SECRET, Api
from nrs.config.types import IPAddress, Network, Urls
from nrs.identity import certificate
from nrs.identity.certificate import Bundle
from nrs.identity.credential import REPLACEMENT

LOOPBACK: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
]
_IN_PLACE = (
    "write signers_file: FILE, which `nrs token keys` makes, and urls: [URL], as others call this"
    f" service; each caller shows what this makes: {REPLACEMENT}"
)


class ServiceApi(Api):
    """Whom a service believes and what it shows, beside how it proves itself to its siblings.

    With `signers_file` each caller states a token that one of these keys has signed for one of
    `urls`, which is what the service is called in the files of others. With `shared_token_file`
    as well, the secret in it is taken too, until all devices have tokens of their own. Without
    `signers_file` it serves its own host alone.
    """

    KEEPS_LEFT_SECRET = False

    certificate_file: Path | None = None
    key_file: Path | None = None
    allow_plain: StrictBool = False
    """Whether plain HTTP is served beyond loopback; with a certificate, beside TLS."""
    urls: Urls | None = None
    shared_token_file: Path | None = None
    peers: Urls | None = None
    """Services that are asked for a newer list of revocations."""
    loopback_reads: StrictBool = False
    refused_networks: list[Network] = Field(default_factory=list)
    _shared: str | None = PrivateAttr(default=None)
    _shown: Bundle | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _read_signers(self) -> Self:
        if self.signers_file is None:
            if self.shared_token_file is not None:
                raise ValueError(f"shared_token_file goes with signers_file: {_IN_PLACE}")
            return self
        if self.urls is None:
            raise ValueError("urls is needed with signers_file: tokens are made for them")
        if self.shared_token_file is not None:
            shared = text_file.read(self.shared_token_file).strip()
            if not SECRET.fullmatch(shared):
                raise ValueError(
                    f"{self.shared_token_file} must have at least 32 characters, without spaces"
                )
            self._shared = shared
        return self

    def in_place_of_secret(self, file: str) -> str:
        """What is to be written in the place of a secret that all share."""
        return _IN_PLACE if self.signers_file is None else super().in_place_of_secret(file)

    @model_validator(mode="after")
    def _certified(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("takes both of certificate_file and key_file, or neither")
        if self.certificate_file is not None and self.key_file is not None:
            shown = certificate.read(self.certificate_file)
            wrong = certificate.problem(shown, now=time.time())
            if wrong := wrong or certificate.no_key_of(shown, self.key_file):
                raise ValueError(wrong)
            self._shown = shown
        return self

    def check_bound(self, field: str, address: IPAddress) -> None:
        """Raises ValueError where credentials would pass in clear from host to host.

        `field` is the key that says at which address the service listens.
        """
        if self._signers and self._shown is None and not (self.allow_plain or address.is_loopback):
            raise ValueError(
                f"{field}: found '{address}': beyond loopback it takes api.certificate_file and"
                " api.key_file, which `nrs ca issue` makes, or api.allow_plain: true for plain HTTP"
            )

    @property
    def shown(self) -> Bundle | None:
        """The certificate in `certificate_file` with those behind it; None for plain HTTP."""
        return self._shown

    @property
    def shared_token(self) -> str | None:
        """The one secret that callers may show in place of a token of their own, if any.

        Only with `signers`.
        """
        return self._shared
