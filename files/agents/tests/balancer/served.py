"""A load balancer's API over clocks that the test turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.http.app import create_app
from nrs.balancer.live import LiveBalancer
from tests.api.callers import shared
from tests.balancer.reports import WALL, fields

TOKEN = "d" * 32
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Served:
    """One load balancer."""

    config: dict[str, Any] = field(default_factory=dict)
    directory: Path | None = None
    now: float = 0.0

    def __post_init__(self) -> None:
        self.balancer = LiveBalancer(
            LoadBalancerConfig.model_validate(self.config),
            self.directory,
            clock=lambda: self.now,
            wall_clock=lambda: WALL + self.now,
        )
        self.client: FlaskClient = create_app(self.balancer, shared(TOKEN)).test_client()

    def report(self, router_id: str, load: float = 0.0, **changes: Any) -> None:
        """Have a router report now."""
        when = WALL + self.now
        body = {**fields(router_id, load, timestamp=when, total_rx_packets=int(when)), **changes}
        self.asked("post", "/metrics", body)

    def asked(self, method: str, path: str, body: Any = None, status: int = 200) -> dict[str, Any]:
        """The answer's JSON, which must have this status."""
        answer = self.client.open(path, method=method.upper(), json=body, headers=BEARER)
        assert answer.status_code == status, answer.text
        assert isinstance(answer.json, dict)
        return answer.json
