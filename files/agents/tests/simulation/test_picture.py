from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

import nrs
from nrs.simulation.measures import Sample
from nrs.simulation.picture import draw, figure

WIDTH, HEIGHT = 1200, 300


def run(most: float, routers: int = 2) -> list[Sample]:
    """A minute at which the first router is loaded by 0.2, and the last by `most`."""
    each = (0.2, *(0.5,) * (routers - 2), most)
    return [Sample(float(at), 0.2, 0.5, most, each) for at in range(0, 60, 10)]


def pixels(data: bytes) -> np.ndarray:
    """Rows of pixels of red, green and blue, 0 to 1."""
    return np.asarray(imread(io.BytesIO(data), format="png"))[:, :, :3]


def has(picture: np.ndarray, colour: str) -> bool:
    """Whether a pixel has very nearly this colour."""
    return bool((np.abs(picture - np.array(to_rgb(colour))).max(axis=2) < 0.05).any())


def test_each_run_has_a_panel_of_its_own_below_the_one_before() -> None:
    runs = [("balancer", run(0.8)), ("plain", run(1.8, routers=3))]
    panels = figure(runs).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["balancer", "plain"]
    picture = pixels(draw(runs))
    assert picture.shape == (2 * HEIGHT, WIDTH, 3)
    upper, lower = picture[:HEIGHT], picture[HEIGHT:]
    assert has(upper, "C1") and has(lower, "C1")
    assert not has(upper, "C2") and has(lower, "C2"), "the third router"


def test_what_is_drawn_are_the_loads_of_each_router_over_time() -> None:
    (axes,) = figure([("balancer", run(0.8))]).axes
    drawn = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert list(drawn["router_1"]) == [0.2] * 6
    assert list(drawn["router_2"]) == [0.8] * 6
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["router_1", "router_2"]


def test_full_load_is_red_and_all_panels_have_the_same_scale() -> None:
    assert has(pixels(draw([("balancer", run(0.8))])), "red")
    calm, wild = figure([("balancer", run(0.8)), ("plain", run(1.8))]).axes
    assert calm.get_ylim() == wild.get_ylim()
    assert calm.get_ylim()[1] > 1.8


def test_loads_can_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    one, same, other = (pixels(draw([("balancer", run(most))])) for most in (0.8, 0.8, 0.4))
    assert len(np.unique(one.reshape(-1, 3), axis=0)) > 10
    assert (one == same).all()
    assert (one != other).any()
    assert capsys.readouterr() == ("", "")


def test_more_routers_than_colours_differ_by_their_lines() -> None:
    (axes,) = figure([("balancer", run(0.8, routers=12))]).axes
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}
    assert len(looks) == 13


def test_a_single_sample_can_be_drawn() -> None:
    assert pixels(draw([("balancer", run(0.8)[:1])])).shape == (HEIGHT, WIDTH, 3)


def test_nothing_else_imports_matplotlib() -> None:
    root = Path(nrs.__file__).parent
    needs = re.compile(r"^\s*(import|from) matplotlib\b", re.MULTILINE)
    users = [file for file in root.rglob("*.py") if needs.search(file.read_text("utf-8"))]
    assert users == [root / "simulation" / "picture.py"]
