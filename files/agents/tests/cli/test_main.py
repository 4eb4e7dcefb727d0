from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nrs import __version__
from nrs.balancer.agent import LoadBalancer
from nrs.cli.main import main
from nrs.cli.units import UNITS

from .conftest import AGENTS, Nrs


def test_version(nrs: Nrs) -> None:
    done = nrs("--version")
    assert (done.returncode, done.stdout) == (0, f"nrs {__version__}\n")


@pytest.mark.parametrize("unit", UNITS)
def test_each_unit_has_a_model_and_a_command_with_its_default_file(unit: str) -> None:
    assert UNITS[unit].model().__name__ == f"{UNITS[unit].agent_name}Config"
    shown = CliRunner().invoke(main, [unit.replace("_", "-"), "--help"])
    assert shown.exit_code == 0
    assert f"/etc/network-routing-system/{unit}.yaml" in "".join(shown.output.split())


def test_an_agents_exit_status_is_that_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, object]] = []

    def run_agent(path: Path, agent: object) -> int:
        asked.append((path, agent))
        return 7

    monkeypatch.setattr("nrs.agent.run.run_agent", run_agent)
    done = CliRunner().invoke(main, ["load-balancer", "--config", "some.yaml"])
    assert done.exit_code == 7
    assert asked == [(Path("some.yaml"), LoadBalancer)]


def test_an_agent_whose_file_is_missing_exits_2_with_one_line(nrs: Nrs, tmp_path: Path) -> None:
    done = nrs("network-controller", "--config", tmp_path / "none.yaml")
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path}/none.yaml: No such file or directory\n"


def test_asking_for_status_loads_nothing_slow() -> None:
    code = """
import sys
from nrs.cli.main import main
try:
    main(["status", "--json"])
except SystemExit:
    pass
slow = {"rich", "pydantic", "flask", "sqlalchemy", "requests", "yaml", "pyroute2"}
print(sorted(slow & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=AGENTS, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    assert "no agent is running" in done.stderr
