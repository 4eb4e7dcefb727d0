"""The load balancer's app with routers and endpoints that it knows, and a bare route beside it."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nrs.api.auth import Trust
from nrs.api.messages import MetricsReport
from nrs.balancer.agent import COLLECTIONS
from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.http.app import create_app
from nrs.balancer.live import LiveBalancer
from nrs.identity.keys import read_public
from nrs.identity.verifier import Verifier

from bench.balancer import credentials, hello, questions


def _known(routers: int, endpoints: int) -> LiveBalancer:
    # Nobody reports while a server is measured.
    config = LoadBalancerConfig.model_validate({"metrics": {"report_interval": 3600.0}})
    balancer = LiveBalancer(config)
    for number in range(routers):
        balancer.report(MetricsReport.model_validate(questions.report(number, time.time())))
    for endpoint in range(endpoints):
        balancer.decide(f"endpoint_{endpoint}", questions.candidates(endpoint, routers), None)
    return balancer


gc.set_threshold(*COLLECTIONS)
_balancer = create_app(
    _known(int(os.environ["NRS_BENCH_ROUTERS"]), int(os.environ["NRS_BENCH_ENDPOINTS"])),
    Trust(Verifier(read_public(Path(os.environ["NRS_BENCH_SIGNERS"])), [credentials.URL])),
)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Both apps at one port."""
    one = hello.app if environ["PATH_INFO"] == "/hello" else _balancer
    return one(environ, start_response)
