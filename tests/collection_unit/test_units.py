"""How much of a host the units leave to an agent, as systemd judges it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from jinja2 import Environment, StrictUndefined

CHECKOUT = Path(__file__).resolve().parents[2]
TEMPLATE = CHECKOUT / "roles" / "common" / "templates" / "agent.service.j2"
MOST_EXPOSED = 2.0
PLACES = "/opt/network-routing-system"


@pytest.mark.parametrize(
    "unit",
    ["load_balancer", "network_controller", "routing_server", "network_access_endpoint"],
)
def test_units_are_little_exposed(tmp_path: Path, unit: str) -> None:
    tasks = (CHECKOUT / "roles" / unit / "tasks" / "service.yml").read_text(encoding="utf-8")
    tunnel = re.search(r"_common_unit_tunnel: (true|false)", tasks)
    assert tunnel
    template = Environment(trim_blocks=True, undefined=StrictUndefined, autoescape=False)  # noqa: S701
    rendered = template.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        _common_unit=unit,
        _common_unit_tunnel=tunnel[1] == "true",
        _common_unit_description=unit,
        _common_unit_settings=[],
        _common_unit_stamp="",
        _common_unit_capabilities=["CAP_NET_ADMIN", "CAP_NET_RAW"] if tunnel[1] == "true" else [],
        _common_release_stamp="",
        _common_user="nrs",
        _common_command=f"{PLACES}/current/bin/nrs",
        _common_install_directory=PLACES,
        _common_configuration_directory="/etc/network-routing-system",
        _common_host={"interpreter": "/usr/bin/python3.11", "library": "/usr/lib/python3.11"},
    )
    path = tmp_path / f"{unit}.service"
    path.write_text(rendered, encoding="utf-8")
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", path]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    level = re.search(r"exposure level for .*: ([0-9.]+) ", said)
    assert level, said
    assert float(level[1]) <= MOST_EXPOSED, said
