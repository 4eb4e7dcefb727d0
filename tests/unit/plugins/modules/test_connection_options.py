# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that every module has, through one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.nrs.network_routing.plugins.modules import load_balancer_info
from ansible_collections.nrs.network_routing.tests.unit.plugins.api_server import Answer, ApiServer
from ansible_collections.nrs.network_routing.tests.unit.plugins.conftest import Run

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def status(api: ApiServer) -> ApiServer:
    """An API with a status."""
    api.on("GET", "/status", Answer(body={"servers": []}))
    return api


def _sent(api: ApiServer) -> str | None:
    return api.asked[0].headers.get("Authorization")


def test_the_token_is_sent_and_never_shown(run: Run, status: ApiServer) -> None:
    result = run(load_balancer_info, url=status.url, token=TOKEN)
    assert _sent(status) == "Bearer " + TOKEN
    assert TOKEN not in str(result)


@pytest.mark.parametrize("end", ["\n", "\r\n", " "])
def test_a_line_end_is_no_part_of_the_token(run: Run, api: ApiServer, end: str) -> None:
    api.on("GET", "/status", Answer(401, {"error": "bad token " + TOKEN}))
    result = run(load_balancer_info, url=api.url, token=TOKEN + end)
    assert _sent(api) == "Bearer " + TOKEN
    assert result["status"] == 401 and TOKEN not in str(result)


@pytest.mark.parametrize("token", [TOKEN + "\nx", TOKEN + "\u2014"])
def test_one_that_cannot_be_sent_is_not_shown(run: Run, status: ApiServer, token: str) -> None:
    result = run(load_balancer_info, url=status.url, token=token)
    assert result["failed"] and TOKEN not in str(result)
    assert status.asked == []


def test_the_token_may_come_from_a_file(run: Run, status: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    run(load_balancer_info, url=status.url, token_file=str(tmp_path / "token"))
    assert _sent(status) == "Bearer " + TOKEN


def test_the_token_may_come_from_the_environment(
    run: Run, status: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRS_API_TOKEN", TOKEN)
    run(load_balancer_info, url=status.url)
    assert _sent(status) == "Bearer " + TOKEN


def test_a_token_that_the_api_echoes_is_hidden(run: Run, api: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    api.on("GET", "/status", Answer(401, {"error": "bad token " + TOKEN}))
    result = run(load_balancer_info, url=api.url, token_file=str(tmp_path / "token"))
    assert result["status"] == 401
    assert TOKEN not in str(result)


def test_a_token_file_that_is_missing(run: Run, status: ApiServer, tmp_path: Path) -> None:
    result = run(load_balancer_info, url=status.url, token_file=str(tmp_path / "none"))
    assert result["failed"] and "cannot read token_file" in result["msg"]
    assert status.asked == []


def test_token_and_token_file_exclude_each_other(run: Run, status: ApiServer) -> None:
    result = run(load_balancer_info, url=status.url, token=TOKEN, token_file="/x")
    assert "mutually exclusive" in result["msg"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": "192.0.2.1:8080"}, "must start with http"),
        ({"url": "file:///etc/passwd"}, "must start with http"),
        ({"url": []}, "at least one"),
        ({}, "missing required arguments: url"),
        ({"url": "http://192.0.2.1", "timeout": 0}, "timeout"),
        (
            {"url": "https://192.0.2.1", "ca_path": "/no/such"},
            "must be a file, found /no/such",
        ),
    ],
)
def test_options_that_cannot_work(run: Run, options: dict[str, object], says: str) -> None:
    result = run(load_balancer_info, **options)
    assert result["failed"] and says in result["msg"]


def test_several_urls_in_one_string(run: Run, status: ApiServer, closed_url: str) -> None:
    result = run(load_balancer_info, url="%s, %s" % (closed_url, status.url))
    assert result["load_balancer"] == {"servers": []}


def test_nobody_answers(run: Run, closed_url: str) -> None:
    result = run(load_balancer_info, url=closed_url)
    assert result["failed"] and "refused" in result["msg"]
    assert result["status"] is None
