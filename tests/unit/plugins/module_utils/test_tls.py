# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dates of a certificate that is not trusted, by the oldest Python on hosts."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.module_utils import _tls


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def _of_python_3_9(addr: Any, ssl_version: Any = None, ca_certs: Any = None) -> str:
        raise AssertionError("it waits for ever")

    monkeypatch.setattr(ssl, "get_server_certificate", _of_python_3_9)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert _tls.dates_at("127.0.0.1", silent.getsockname()[1], 0.1) is None
        assert time.monotonic() - began < 5
