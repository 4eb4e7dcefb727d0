# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of all plugins share."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from ansible.module_utils import basic
from ansible_collections.nrs.network_routing.plugins.module_utils import _client
from ansible_collections.nrs.network_routing.tests.unit.plugins.api_server import ApiServer


class Run(Protocol):
    """Runs a module."""

    def __call__(self, module: Any, **options: Any) -> dict[str, Any]:
        """Run it with these options; what it printed."""


@pytest.fixture
def api() -> Iterator[ApiServer]:
    """An API that answers what the test tells it."""
    server = ApiServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def second_api() -> Iterator[ApiServer]:
    """Another one."""
    server = ApiServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def closed_url() -> Iterator[str]:
    """An address whose port is reserved and refuses connections."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield "http://127.0.0.1:%d" % reserved.getsockname()[1]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a module as ansible-core would, with short pauses between its tries."""
    monkeypatch.setattr(_client, "FIRST_PAUSE_S", 0.001)
    monkeypatch.delenv("NRS_API_TOKEN", raising=False)

    def _run(module: Any, *, check: bool = False, **options: Any) -> dict[str, Any]:
        args = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
        given = json.dumps({"ANSIBLE_MODULE_ARGS": args}).encode()
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", given)
        # Only ansible-core 2.19 or newer asks how they are written.
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(SystemExit) as ended:
            module.main()
        printed: dict[str, Any] = json.loads(capfd.readouterr().out)
        assert bool(ended.value.code) is bool(printed.get("failed"))
        return printed

    return _run
