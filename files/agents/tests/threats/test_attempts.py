"""What is tried is all that there is."""

from __future__ import annotations

import re
from pathlib import Path

from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.http.app import create_app as balancer_app
from nrs.balancer.live import LiveBalancer
from nrs.controller.config import NetworkControllerConfig
from nrs.controller.database import Database
from nrs.controller.events import Events
from nrs.controller.http.app import create_app as controller_app
from nrs.controller.registry import Registry
from tests.api.callers import NOW, signed
from tests.threats.attempts import BALANCER, CONTROLLER, attempts


def test_every_operation_is_tried(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/registry.sqlite3")
    registry = Registry(database, NetworkControllerConfig(), lambda: NOW)
    apps = {
        BALANCER: balancer_app(LiveBalancer(LoadBalancerConfig()), signed()),
        CONTROLLER: controller_app(signed(), registry, Events(database), lambda: NOW),
    }
    for service, app in apps.items():
        there = {
            (method, re.sub("<.*>", "X", rule.rule))
            for rule in app.url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD"}
        }
        tried = {
            (attempt.method, attempt.path.partition("?")[0])
            for attempt in attempts(service, {"X": "X"}, {})
        }
        assert tried == there
    registry.close()
