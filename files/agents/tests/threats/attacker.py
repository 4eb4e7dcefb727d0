"""Somebody who tries everything with every credential, and notes what worked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tests.threats.attempts import Attempt

_TIMEOUT_S = 60.0
_FROM_ONE_ADDRESS = 15
"""Refused tokens are slowed after more than these."""
_addresses = (f"127.9.{high}.{low}" for high in range(256) for low in range(1, 255))


class _From(HTTPAdapter):
    """Connections from an address of this machine that nobody has used."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        options["source_address"] = (next(_addresses), 0)
        super().init_poolmanager(*arguments, **options)


def worked(
    url: str, ca_file: Path, attempts: Sequence[Attempt], credentials: Mapping[str, str]
) -> Iterator[str]:
    """What the service at `url` has done for whom, as `CREDENTIAL: WHAT`.

    What it does without any is told of that alone.
    """
    open_to_all = set()
    for whose, attempt in _done(url, ca_file, attempts, {"no token": None}):
        open_to_all.add(attempt.what)
        yield f"{whose}: {attempt.what}"
    for whose, attempt in _done(url, ca_file, attempts, credentials):
        if attempt.what not in open_to_all:
            yield f"{whose}: {attempt.what}"


def _done(
    url: str, ca_file: Path, attempts: Sequence[Attempt], credentials: Mapping[str, str | None]
) -> Iterator[tuple[str, Attempt]]:
    asked = itertools.product(credentials.items(), attempts)
    while some := list(itertools.islice(asked, _FROM_ONE_ADDRESS)):
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(ca_file)
            session.mount("https://", _From())
            for (whose, token), attempt in some:
                answer = session.request(
                    attempt.method,
                    url + attempt.path,
                    json=attempt.body,
                    headers={} if token is None else {"Authorization": f"Bearer {token}"},
                    timeout=_TIMEOUT_S,
                )
                assert answer.status_code < 500, f"{attempt.what}: {answer.text}"
                if answer.status_code < 400:
                    yield whose, attempt
