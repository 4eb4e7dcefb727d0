# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module of the collection has in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible_collections.nrs.network_routing.plugins.module_utils._client import (
    ApiError,
    Client,
    Connection,
)

CONNECTION_OPTIONS: dict[str, dict[str, Any]] = {
    "url": {"type": "list", "elements": "str", "required": True},
    "token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["NRS_API_TOKEN"])},
    "token_file": {"type": "path", "no_log": False},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "float", "default": 10.0},
}


class ApiModule(AnsibleModule):
    """A module that talks to one of the two APIs; every one of them supports check mode."""

    def __init__(self, options: dict[str, dict[str, Any]] | None = None) -> None:
        super().__init__(
            argument_spec={**CONNECTION_OPTIONS, **(options or {})},
            mutually_exclusive=[("token", "token_file")],
            supports_check_mode=True,
        )

    def run(self, work: Callable[[Client, dict[str, Any]], dict[str, Any]]) -> NoReturn:
        """Exit with what `work` returns, or fail with what the API said."""
        client = Client(self._connection())
        try:
            result = work(client, self.params)
        except ApiError as error:
            self.fail_json(msg=str(error), status=error.status, field=error.field)
        self.exit_json(**{"changed": False, **result})
        raise AssertionError("exit_json returned")

    def _connection(self) -> Connection:
        params = self.params
        urls = [url.strip() for url in params["url"]]
        for url in urls:
            if not url.startswith(("http://", "https://")):
                self.fail_json(msg="url must start with http:// or https://, found %r" % url)
        if not urls:
            self.fail_json(msg="url must name at least one server")
        if params["timeout"] <= 0:
            self.fail_json(msg="timeout must be more than 0 seconds, found %s" % params["timeout"])
        if params["ca_path"] is not None and not Path(params["ca_path"]).is_file():
            self.fail_json(msg="ca_path must be a file, found %s" % params["ca_path"])
        return Connection(
            urls=urls,
            token=self._token(),
            timeout=params["timeout"],
            validate_certs=params["validate_certs"],
            ca_path=params["ca_path"],
        )

    def _token(self) -> str | None:
        token: str | None = self.params["token"]
        if self.params["token_file"] is not None:
            try:
                token = Path(self.params["token_file"]).read_text(encoding="ascii")
            except (OSError, UnicodeDecodeError) as error:
                self.fail_json(msg="cannot read token_file: %s" % error)
        if token is not None:
            token = token.strip()
        if token:
            self.no_log_values.add(token)
        return token


def part(answer: dict[str, Any], key: str, kind: type | tuple[type, ...]) -> Any:
    """`answer[key]`, which must be of `kind`. Raises ApiError."""
    value = answer.get(key)
    if not isinstance(value, kind):
        raise ApiError("the answer has no usable %r: found %s" % (key, type(value).__name__))
    return value


def parts(answer: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects of the list `answer[key]`. Raises ApiError."""
    found: list[dict[str, Any]] = part(answer, key, list)
    for item in found:
        if not isinstance(item, dict):
            raise ApiError("the answer has no usable %r: found %s" % (key, type(item).__name__))
    return found
