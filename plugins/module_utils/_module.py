# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module of the collection has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible_collections.nrs.network_routing.plugins.module_utils._client import (
    ApiError,
    Client,
    Connection,
)
from ansible_collections.nrs.network_routing.plugins.module_utils._connection import (
    Unusable,
    connection,
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
        try:
            found = connection(self.params)
        except Unusable as error:
            self.fail_json(msg=str(error))
        if found.token:
            self.no_log_values.add(found.token)
        return found


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
