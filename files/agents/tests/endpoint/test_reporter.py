from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from testbed.ports import free_port

from nrs.api import service
from nrs.api.service import ApiError
from nrs.config.loader import build
from nrs.endpoint import reporter
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.endpoint.reporter import Adviser, EndpointWork
from nrs.endpoint.work import work_of
from nrs.system import control
from tests.api.callers import shared
from tests.serving import serving

TOKEN = "c" * 32


class Agent:
    """The endpoint's control socket."""

    def __init__(self, active: str | None) -> None:
        self.active = active
        self.carried = 0
        self.advised: list[str] = []

    def request(self, _: Path, command: str, **arguments: Any) -> dict[str, Any]:
        if command == "advise":
            self.advised.append(arguments["router_id"])
            return {}
        if command == "traffic":
            return {"rx_bytes": self.carried, "tx_bytes": 0}
        assert command == "status"
        names = ("router_1", "router_2")
        return {"tunnels": [{"router_id": n, "active": n == self.active} for n in names]}


class Balancer:
    """A load balancer that decides as it is told."""

    def __init__(self, **answer: Any) -> None:
        self.asked: list[dict[str, str]] = []
        made = {"optimal_router_id": "router_2", "score": 0.5, "timestamp": 1.0}
        self.answer: dict[str, Any] = {**made, **answer}
        self.failure: int | None = None

    def app(self) -> Flask:
        app = service.create_app("balancer", shared(TOKEN))

        @app.get("/decision/<endpoint_id>")
        def decision(endpoint_id: str) -> dict[str, Any]:
            assert endpoint_id == "endpoint_1"
            self.asked.append(request.args.to_dict())
            if self.failure is not None:
                raise ApiError(self.failure, "no routing server is active")
            return self.answer

        return app


def adviser(*ports: int, poll_interval: float = 10.0) -> Adviser:
    router = {"external_ip": "192.0.2.1"}
    config: dict[str, Any] = {
        "endpoint": {"endpoint_id": "endpoint_1", "name": "E"},
        "tunnel": {
            "psk": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=",
            "tun_ipv4": "10.0.0.1",
            "tun_ipv6": "fd00::1",
        },
        "routers": [{"router_id": f"router_{n}", **router} for n in (1, 2)],
        "load_balancer": {
            "url": [f"http://127.0.0.1:{port}" for port in ports],
            "poll_interval": poll_interval,
        },
    }
    urls = config["load_balancer"]["url"]
    made = work_of(build(config, NetworkAccessEndpointConfig, "test"))
    given = json.dumps({**made, "tokens": dict.fromkeys(urls, TOKEN)})
    work = EndpointWork.model_validate_json(given)
    return Adviser(work, Path("/no/such/socket"))


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Agent:
    agent = Agent("router_1")
    monkeypatch.setattr(control, "request", agent.request)
    return agent


def test_it_states_what_it_uses_and_can_use(agent: Agent) -> None:
    balancer = Balancer()
    with serving(balancer.app()) as port:
        adviser(port).poll()
        agent.active = None
        adviser(port).poll()
    candidates = {"candidates": "router_1,router_2"}
    assert balancer.asked == [{**candidates, "current": "router_1"}, candidates]
    assert agent.advised == ["router_2", "router_2"]


@pytest.mark.parametrize(
    ("told", "interval", "after"),
    [
        ({"poll_after": 8.5}, 10.0, 8.5),
        ({"poll_after": 11.5}, 10.0, 11.5),
        # As far as the operator allows.
        ({"poll_after": 40.0}, 10.0, 12.0),
        ({"poll_after": 9.0}, 0.5, 0.6),
        # As far as the load balancer can bear.
        ({"poll_after": 40.0, "poll_at_least": 40.0}, 10.0, 40.0),
        ({"poll_after": 9.0, "poll_at_least": 2.5}, 0.5, 2.5),
        ({"poll_after": 9.0, "poll_at_least": 2.5}, 10.0, 9.0),
        # A load balancer of an older release.
        ({}, 10.0, 10.0),
    ],
)
def test_it_asks_again_when_it_is_told_to(
    agent: Agent, told: dict[str, float], interval: float, after: float
) -> None:
    with serving(Balancer(**told).app()) as port:
        assert adviser(port, poll_interval=interval).poll() == pytest.approx(after)


def test_the_next_load_balancer_is_asked_where_one_cannot_serve(agent: Agent) -> None:
    first, second = Balancer(), Balancer(poll_after=9.0)
    first.failure = 503
    with serving(first.app()) as one, serving(second.app()) as other:
        assert adviser(free_port(), one, other).poll() == 9.0
    assert (len(first.asked), len(second.asked)) == (1, 1)
    assert agent.advised == ["router_2"]


def test_a_failure_is_told_once_and_asked_about_in_the_interval(
    agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="nrs.endpoint.reporter")
    balancer = Balancer(poll_after=9.0)
    balancer.failure = 503
    with serving(balancer.app()) as port:
        asks = adviser(port)
        assert [asks.poll(), asks.poll()] == [10.0, 10.0]
        balancer.failure = None
        assert asks.poll() == 9.0
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "no decision from the load balancer",
        "the load balancer decides again",
    ]
    assert agent.advised == ["router_2"]


def test_it_says_what_it_has_carried_since_it_last_asked(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    balancer = Balancer()
    with serving(balancer.app()) as port:
        asks = adviser(port)
        monkeypatch.setattr(reporter.time, "monotonic", lambda: 100.0)
        asks.poll()
        agent.carried = 12_500_000
        monkeypatch.setattr(reporter.time, "monotonic", lambda: 110.0)
        asks.poll()
    assert [asked.get("mbps") for asked in balancer.asked] == [None, "10.000"]
