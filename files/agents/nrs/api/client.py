"""The agents' HTTP client: one session, a token for each, several servers in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from nrs.api import tls

_TIMEOUT_S = (2.0, 5.0)
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


class ApiUnavailable(Exception):
    """No server of the list answered; the text names each and why."""


class ApiRefused(Exception):
    """A server answered with an error: its status and what it said."""

    def __init__(self, url: str, status: int, error: str) -> None:
        super().__init__(f"{url} answered {status}: {error}")
        self.status = status
        self.error = error


class ApiClient:
    """Calls the first server of `urls` that can serve, and starts there the next time."""

    def __init__(
        self, urls: Sequence[str], tokens: Mapping[str, str], ca_file: Path | None = None
    ) -> None:
        """`tokens` has what to state to each server, by URL.

        Trust the CAs in `ca_file` and no others; without it, the public ones.
        """
        self._urls, self._tokens, self._ca_file = list(urls), tokens, ca_file
        self._session = requests.Session()
        self._session.trust_env = False
        retry = Retry(total=1, backoff_factor=0.2, allowed_methods=_IDEMPOTENT)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(max_retries=retry))
        self._session.verify = True if ca_file is None else str(ca_file)

    def get(self, path: str, params: dict[str, str] | None = None) -> Any:
        """The JSON answer of `GET path`. Raises ApiUnavailable, ApiRefused."""
        return self._call("GET", path, params=params)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON answer of `POST path`. Raises ApiUnavailable, ApiRefused."""
        return self._call("POST", path, json=body)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON answer of `PUT path`. Raises ApiUnavailable, ApiRefused."""
        return self._call("PUT", path, json=body)

    def post_to_all(
        self, path: str, body: dict[str, Any], more: Mapping[str, dict[str, Any]]
    ) -> dict[str, str]:
        """Post to every server, with what there is `more` for it by URL.

        Returns the failures as `{url: why}`, empty when all took it.
        """
        failures: dict[str, str] = {}
        for url in self._urls:
            try:
                self._one("POST", url, path, json={**body, **more.get(url, {})})
            except (ApiRefused, requests.RequestException) as error:
                failures[url] = self._why(error, url)
        return failures

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        failures: list[str] = []
        unable: ApiRefused | None = None
        for _ in range(len(self._urls)):
            url = self._urls[0]
            try:
                return self._one(method, url, path, **arguments)
            except requests.RequestException as error:
                failures.append(f"{url}: {self._why(error, url)}")
            except ApiRefused as error:
                if error.status < 500:
                    raise
                unable = unable or error
            self._urls.append(self._urls.pop(0))
        if unable is not None:
            raise unable
        raise ApiUnavailable("; ".join(failures))

    def _one(self, method: str, url: str, path: str, **arguments: Any) -> Any:
        token = self._tokens.get(url)
        response = self._session.request(
            method,
            url + path,
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_S,
            allow_redirects=False,
            **arguments,
        )
        try:
            answer = response.json()
        except ValueError:
            answer = {}
        if response.status_code < 300:
            return answer
        error = answer.get("error") if isinstance(answer, dict) else None
        raise ApiRefused(url, response.status_code, str(error or response.reason))

    def _why(self, error: Exception, url: str) -> str:
        if (distrust := tls.distrust(error, url, self._ca_file)) is not None:
            return distrust
        if isinstance(error, requests.ConnectTimeout):
            return "no connection in time"
        if isinstance(error, requests.ReadTimeout):
            return "no answer in time"
        if isinstance(error, requests.exceptions.SSLError):
            return "no TLS 1.3 there"
        if isinstance(error, requests.ConnectionError):
            return "connection failed"
        return str(error)


class _Adapter(HTTPAdapter):
    """TLS 1.3 only."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, ssl_context=tls.client())
