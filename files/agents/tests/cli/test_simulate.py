from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from matplotlib.image import imread

from nrs.cli.main import main
from nrs.cli.simulate_command import simulate
from nrs.simulation.scenarios import SCENARIOS

from .conftest import AGENTS

SHORT = ("--endpoints", "20", "--duration", "400", "--warm-up", "100")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["simulate", *words])


def test_every_scenario_can_be_named() -> None:
    option = next(p for p in simulate.params if p.name == "scenario")
    assert list(getattr(option.type, "choices")) == list(SCENARIOS)  # noqa: B009


def test_both_rules_are_told_and_drawn() -> None:
    result = run(*SHORT)
    assert result.exit_code == 0, result.output
    assert "balancer" in result.output
    assert "plain: loads from 100 s to 400 s" in result.output
    assert result.output.count("router_3") == 2


def test_figures_as_json() -> None:
    result = run(*SHORT, "--rule", "balancer", "--seeds", "2", "--json")
    (figures,) = json.loads(result.output).values()
    assert figures["max_over_mean"] < 1.3
    assert figures["settle_s"] is None


def test_an_event_is_settled() -> None:
    result = run(*SHORT, "--event", "death:1@150", "--rule", "balancer", "--json")
    assert json.loads(result.output)["balancer"]["settle_s"] is not None


def test_a_picture_and_a_recording_are_written(tmp_path: Path) -> None:
    png, recording = tmp_path / "loads.png", tmp_path / "recording.jsonl"
    result = run(*SHORT, "--png", str(png), "--record", str(recording))
    assert result.exit_code == 0, result.output
    assert imread(png).shape == (600, 1200, 4), "a panel for each of the two rules"
    replayed = run("--replay", str(recording), "--threshold", "1")
    assert replayed.exit_code == 0, replayed.output
    assert "0 switches instead of" in replayed.output
    figures = json.loads(run("--replay", str(recording), "--threshold", "1", "--json").output)
    assert figures["recorded"] is True
    assert figures["after"]["switches"] == 0
    assert sum(figures["before"]["share"].values()) == pytest.approx(1.0)


WITHOUT_THE_EXTRA = """
import sys
sys.modules["matplotlib"] = None
from nrs.cli.main import main
main(sys.argv[1:])
"""


def without_the_extra(*words: str) -> subprocess.CompletedProcess[str]:
    """`nrs simulate` where matplotlib cannot be imported."""
    command = [sys.executable, "-c", WITHOUT_THE_EXTRA, "simulate", *SHORT, *words]
    return subprocess.run(
        command, cwd=AGENTS, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_the_extra_a_picture_says_what_to_install(tmp_path: Path) -> None:
    png = tmp_path / "loads.png"
    done = without_the_extra("--png", str(png))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "--png needs matplotlib, which is not installed: pip install matplotlib\n"
    )
    assert not png.exists()


def test_without_the_extra_everything_else_goes_on() -> None:
    done = without_the_extra("--rule", "balancer", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["balancer"]["max_over_mean"] >= 1.0


def test_the_algorithm_comes_from_a_file_and_options_change_it(tmp_path: Path) -> None:
    config = tmp_path / "load_balancer.yaml"
    config.write_text("algorithm: {anti_flap_threshold: 1.0}\n", encoding="ascii")
    options = (*SHORT, "--rule", "balancer", "--config", str(config), "--json")
    stayed = json.loads(run(*options).output)["balancer"]
    assert stayed["switches_per_endpoint_hour"] == 0
    moved = json.loads(run(*options, "--threshold", "0.01", "--hold", "0").output)["balancer"]
    assert moved["switches_per_endpoint_hour"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--routers", "0"), "routers: must be 1 to 2000"),
        (("--capacities", "1,x"), "--capacities: '1,x'"),
        (("--weights", "disk=1"), "--weights: 'disk=1'"),
        (("--weights", "cpu=-1"), "weights.cpu: "),
        (("--weights", "cpu=0,memory=0,bandwidth=0,connections=0"), "must not all be zero"),
        (("--threshold", "2"), "anti_flap_threshold: "),
        (("--event", "death:9@1"), "event: must be of a router from 1 to 3"),
        (("--event", "sleep:1@1"), "--event: 'sleep:1@1'"),
        (("--burst", "1:2"), "--burst: '1:2'"),
        (("--config", "/nonexistent.yaml"), "/nonexistent.yaml"),
        (("--replay", "/nonexistent.jsonl"), "/nonexistent.jsonl"),
    ],
)
def test_what_cannot_be_is_named(words: tuple[str, ...], said: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.output


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    result = run(*SHORT, "--png", str(tmp_path / "nowhere" / "x.png"))
    assert result.exit_code == 1
    assert "nowhere" in result.output


def test_a_damaged_recording_is_named_with_its_line(tmp_path: Path) -> None:
    damaged = tmp_path / "x.jsonl"
    damaged.write_text('{"server_id": 1}\n', encoding="ascii")
    result = run("--replay", str(damaged))
    assert result.exit_code == 2
    assert "x.jsonl, line 1: server_id: " in result.output
