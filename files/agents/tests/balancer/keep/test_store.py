from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from nrs.balancer.decide.snapshot import KeptEndpoint
from nrs.balancer.keep.store import Store, StoreDamaged

ROUTERS = {"version": 1, "routers": [], "states": {}}


def kept(router_id: str, asked_at: float = 100.0) -> KeptEndpoint:
    return KeptEndpoint(router_id, 50.0, None, ["router_1", "router_2"], asked_at)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def again(path: Path, since: float = 0.0) -> dict[str, object]:
    store = Store(path)
    data = store.read(since)
    store.close()
    assert data is not None
    endpoints: dict[str, object] = data["endpoints"]
    return endpoints


def test_a_new_one_has_nothing(store: Store) -> None:
    assert store.read(0.0) is None


def test_what_is_written_is_read(store: Store, path: Path) -> None:
    store.write(ROUTERS, [{"a": kept("router_1"), "b": kept("router_2")}, {"c": kept("router_1")}])
    store.write(ROUTERS, [{"b": kept("router_1")}])
    assert again(path) == {name: list(kept("router_1")) for name in "abc"}


def test_who_has_long_been_silent_is_left_out_and_dropped(store: Store, path: Path) -> None:
    store.write(ROUTERS, [{"a": kept("router_1", 10.0), "b": kept("router_1", 20.0)}])
    assert list(again(path, since=15.0)) == ["b"]
    store.forget(15.0)
    assert list(again(path)) == ["b"]


def test_half_a_write_is_none(store: Store, path: Path) -> None:
    def parts() -> Iterator[dict[str, KeptEndpoint]]:
        yield {"b": kept("router_2")}
        raise RuntimeError

    store.write(ROUTERS, [{"a": kept("router_1")}])
    with pytest.raises(RuntimeError):
        store.write(ROUTERS, parts())
    assert list(again(path)) == ["a"]
    store.write(ROUTERS, [{"c": kept("router_1")}])
    assert list(again(path)) == ["a", "c"]


def test_a_file_of_something_else(path: Path) -> None:
    path.write_text("nonsense " * 1000)
    with pytest.raises(StoreDamaged, match=r"decisions\.sqlite3: file is not a database"):
        Store(path)


@pytest.mark.parametrize("row", [(2, "{}"), (1, "{"), (1, "[]")])
def test_what_another_release_or_a_fault_has_written(
    store: Store, path: Path, row: tuple[int, str]
) -> None:
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO routers VALUES (?, ?)", row)
    database.close()
    with pytest.raises(StoreDamaged, match=r"decisions\.sqlite3"):
        store.read(0.0)
