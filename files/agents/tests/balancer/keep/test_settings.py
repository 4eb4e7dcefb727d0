from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from nrs.balancer.decide.algorithm import Algorithm, Weights
from nrs.balancer.decide.standing import State
from nrs.balancer.keep.settings import ALGORITHM, STATES, InForce, Settings, fitting, over

ONLY_CPU = Algorithm(weights=Weights(cpu=1, memory=0, bandwidth=0, connections=0))


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    settings.keep_states({"router_1": State.DRAINING})
    settings.keep_algorithm({"weights": {"cpu": 1}})
    again = Settings(tmp_path)
    assert again.states() == {"router_1": State.DRAINING}
    assert again.algorithm() == {"weights": {"cpu": 1}}


@pytest.mark.parametrize("directory", [True, False])
def test_where_nothing_was_kept_nothing_is_set(
    tmp_path: Path, directory: bool, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(tmp_path if directory else None)
    assert (settings.states(), settings.algorithm()) == ({}, {})
    assert caplog.text == ""


def test_without_a_directory_nothing_is_kept() -> None:
    settings = Settings(None)
    settings.keep_states({"router_1": State.DRAINING})
    settings.keep_algorithm({"max_connections": 7})
    assert (settings.states(), settings.algorithm()) == ({}, {})


@pytest.mark.parametrize("text", ["{", '{"router_1": "gone"}', '{"../etc": "active"}', "[]"])
def test_damaged_states_are_told_of_and_count_as_not_set(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / STATES).write_text(text, encoding="utf-8")
    assert Settings(tmp_path).states() == {}
    (said,) = caplog.messages
    assert said.startswith(f"the states that were set for routing servers are lost: {tmp_path}")


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"max_connections": 0}'])
def test_a_damaged_algorithm_is_told_of_and_counts_as_not_set(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ALGORITHM).write_text(text, encoding="utf-8")
    assert Settings(tmp_path).algorithm() == {}
    (said,) = caplog.messages
    assert said.startswith(f"what was set of the algorithm is lost: {tmp_path / ALGORITHM}")


def test_what_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        Settings(tmp_path / "missing").keep_states({})


def test_keys_are_laid_over_the_files_and_mappings_are_merged() -> None:
    file = Algorithm(anti_flap_threshold=0.1, weights=Weights(cpu=0.5))
    what = {"weights": {"memory": 0.7}, "max_connections": 7}
    found = over(file, what)
    assert found == InForce(
        Algorithm(anti_flap_threshold=0.1, weights=Weights(cpu=0.5, memory=0.7), max_connections=7),
        file,
        what,
    )


def test_what_does_not_fit_the_file_is_refused_or_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    what = {"weights": {"cpu": 0}}
    with pytest.raises(ValidationError):
        over(ONLY_CPU, what)
    assert fitting(ONLY_CPU, what) == InForce(ONLY_CPU, ONLY_CPU, what)
    assert "does not fit the file's and is left out" in caplog.text
