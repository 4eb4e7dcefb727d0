"""`/algorithm`, and what is kept of it over a restart and a reload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.http import answers
from nrs.balancer.keep.settings import ALGORITHM
from tests.balancer.served import Served

FILE = {"algorithm": {"anti_flap_threshold": 0.1, "weights": {"cpu": 0.5}}}


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(FILE, tmp_path)


def test_at_first_the_file_is_in_force(served: Served) -> None:
    answer = served.asked("get", "/algorithm")
    answers.AlgorithmInForce.model_validate(answer)
    assert answer["algorithm"] == answer["file"]
    assert answer["algorithm"]["anti_flap_threshold"] == 0.1
    assert answer["set"] == {}


def test_what_is_set_counts_at_once_and_stands_beside_the_file(served: Served) -> None:
    served.report("router_1", cpu_percent=100.0)
    what = {"weights": {"cpu": 1, "memory": 0, "bandwidth": 0, "connections": 0}}
    answer = served.asked("put", "/algorithm", what)
    assert answer["changed"] is True
    assert answer["set"] == what
    assert answer["file"]["weights"]["cpu"] == 0.5
    assert answer["algorithm"]["weights"]["cpu"] == 1
    assert answer["algorithm"]["anti_flap_threshold"] == 0.1
    assert served.asked("get", "/status")["servers"][0]["score"] == 0.0


def test_setting_it_again_changes_nothing(served: Served, tmp_path: Path) -> None:
    served.asked("put", "/algorithm", {"anti_flap_hold_time": 60})
    (tmp_path / ALGORITHM).unlink()
    assert served.asked("put", "/algorithm", {"anti_flap_hold_time": 60.0})["changed"] is False
    assert not (tmp_path / ALGORITHM).exists()


def test_what_is_set_replaces_what_was_set(served: Served) -> None:
    served.asked("put", "/algorithm", {"anti_flap_hold_time": 60})
    answer = served.asked("put", "/algorithm", {"max_connections": 7})
    assert answer["algorithm"]["anti_flap_hold_time"] == 30.0
    assert served.asked("put", "/algorithm", {})["algorithm"] == answer["file"]


def test_it_survives_a_restart(served: Served, tmp_path: Path) -> None:
    served.asked("put", "/algorithm", {"max_connections": 7})
    again = Served({"algorithm": {"anti_flap_threshold": 0.2}}, tmp_path)
    answer = again.asked("get", "/algorithm")
    assert answer["algorithm"]["max_connections"] == 7
    assert answer["algorithm"]["anti_flap_threshold"] == 0.2
    assert answer["set"] == {"max_connections": 7}


def test_it_survives_a_reload_of_the_file(served: Served) -> None:
    served.asked("put", "/algorithm", {"max_connections": 7})
    changed = Algorithm(max_connections=50, anti_flap_threshold=0.3)
    served.balancer.configure(LoadBalancerConfig(algorithm=changed))
    answer = served.asked("get", "/algorithm")
    assert answer["file"]["max_connections"] == 50
    assert answer["algorithm"]["max_connections"] == 7
    assert answer["algorithm"]["anti_flap_threshold"] == 0.3


@pytest.mark.parametrize(
    ("what", "field"),
    [
        ({"weights": {"cpu": -1}}, "weights.cpu"),
        ({"weights": {"cpu": 0, "memory": 0, "bandwidth": 0, "connections": 0}}, "weights"),
        ({"anti_flap_threshold": 1.5}, "anti_flap_threshold"),
        ({"anti_flap_hold_time": "30"}, "anti_flap_hold_time"),
        ({"max_connections": 0}, "max_connections"),
        ({"routers": {"router_1": {"max_connections": 0}}}, "routers.router_1.max_connections"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_impossible_changes_nothing(
    served: Served, what: dict[str, Any], field: str, tmp_path: Path
) -> None:
    before = served.asked("get", "/algorithm")
    assert served.asked("put", "/algorithm", what, status=400)["field"] == field
    assert served.asked("get", "/algorithm") == before
    assert not (tmp_path / ALGORITHM).exists()


def test_what_is_impossible_only_over_the_file_changes_nothing(tmp_path: Path) -> None:
    nothing_else = {"memory": 0, "bandwidth": 0, "connections": 0}
    served = Served({"algorithm": {"weights": {"cpu": 1, **nothing_else}}}, tmp_path)
    answer = served.asked("put", "/algorithm", {"weights": {"cpu": 0}}, status=400)
    assert "must not all be zero" in answer["error"]


def test_what_cannot_be_stored_is_not_in_force(tmp_path: Path) -> None:
    served = Served(FILE, tmp_path / "missing")
    answer = served.asked("put", "/algorithm", {"max_connections": 7}, status=503)
    assert answer["error"] == "the algorithm could not be stored; nothing was changed"
    assert served.asked("get", "/algorithm")["set"] == {}


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"max_connections": 0}'])
def test_a_damaged_file_is_told_and_left_out(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ALGORITHM).write_text(text)
    served = Served(FILE, tmp_path)
    assert served.asked("get", "/algorithm")["set"] == {}
    assert f"what was set of the algorithm is lost: {tmp_path / ALGORITHM}" in caplog.text


def test_what_no_longer_fits_the_file_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Served({}, tmp_path).asked("put", "/algorithm", {"weights": {"cpu": 0}})
    others = {"memory": 0, "bandwidth": 0, "connections": 0}
    served = Served({"algorithm": {"weights": {"cpu": 1, **others}}}, tmp_path)
    assert served.asked("get", "/algorithm")["algorithm"]["weights"]["cpu"] == 1
    assert "does not fit the file's" in caplog.text
