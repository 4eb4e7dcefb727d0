"""One at a time, and whoever waits says so."""

from __future__ import annotations

import threading
from pathlib import Path

from testbed.lock import locked


def test_the_second_says_that_it_waits_and_gets_it_when_the_first_is_done(tmp_path: Path) -> None:
    order: list[str] = []
    waits = threading.Event()

    def second() -> None:
        with locked(tmp_path / "lock", waits.set):
            order.append("second")

    with locked(tmp_path / "lock", lambda: order.append("waits")):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(20)
        order.append("first")
    thread.join(20)
    assert order == ["first", "second"]
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
