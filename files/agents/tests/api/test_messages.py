from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from nrs.api.messages import MetricsReport

REPORT: dict[str, Any] = {
    "server_id": "router_1",
    "server_name": "Zürich, Straße 1",
    "timestamp": 1_700_000_000.5,
    "cpu_percent": 12,
    "memory_percent": 40.5,
    "bandwidth_mbps": 250.0,
    "active_tunnels": 7,
    "total_rx_packets": 2**63 - 1,
    "total_tx_packets": 0,
    "internal_ip": "10.0.0.1",
    "external_ip": "2001:db8::1",
    "egress_up": False,
    "draining": True,
}
OPTIONAL = {"internal_ip": None, "external_ip": None, "egress_up": True, "draining": False}


def test_a_report_as_routers_send_it() -> None:
    report = MetricsReport.model_validate(REPORT)
    assert report.model_dump(mode="json", exclude_unset=True) == REPORT


@pytest.mark.parametrize("field", [f for f in REPORT if f not in OPTIONAL])
def test_every_figure_is_required(field: str) -> None:
    _refused({key: value for key, value in REPORT.items() if key != field}, field)


@pytest.mark.parametrize("field", OPTIONAL)
def test_what_older_routers_do_not_state_has_a_default(field: str) -> None:
    report = MetricsReport.model_validate({k: v for k, v in REPORT.items() if k != field})
    assert getattr(report, field) == OPTIONAL[field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[
            (field, value)
            for field in ("cpu_percent", "memory_percent")
            for value in (-0.1, 100.1, 1e300, 10**400, float("nan"), float("inf"), True, "5", None)
        ],
        *[("bandwidth_mbps", value) for value in (-1, 1.1e9, float("inf"), "1", [])],
        *[("active_tunnels", value) for value in (-1, 1.0, 1.5, True, "1", 2**63)],
        *[("total_rx_packets", value) for value in (-1, 2**63, 0.5)],
        *[("timestamp", value) for value in ("2024-01-01T00:00:00Z", "5", -1, 1e18, None, True)],
        *[("server_id", value) for value in ("", "a b", "a/b", "-a", "a" * 65, "a\n", 5, None)],
        *[("server_name", value) for value in ("", "a" * 129, "a\x1b[31m", "a\x00", "\ud800", 5)],
        *[("egress_up", value) for value in (1, 0, "true", None)],
        *[("internal_ip", value) for value in ("10.0.0.256", "", "::1%a\nb", "10.0.0.0/8", 7, {})],
        ("cpu_load", 5),
    ],
)
def test_impossible_values_are_refused_by_field(field: str, value: object) -> None:
    _refused({**REPORT, field: value}, field)


def _refused(data: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        MetricsReport.model_validate(data)
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]
