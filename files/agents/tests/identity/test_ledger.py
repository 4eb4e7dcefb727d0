from __future__ import annotations

import resource
import signal
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.identity import issue
from nrs.identity.credential import Role
from nrs.identity.ledger import KEPT_S, Entry, LedgerDamaged, opened

from .conftest import NOW, Make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "issued_tokens"


def test_what_was_issued_is_listed(path: Path, make: Make) -> None:
    first = make(lifetime=60.0)
    others = [make(role=Role.ROUTER, id="router_1"), make(url="https://192.0.2.11")]
    with opened(path) as ledger:
        assert ledger.entries == []
        ledger.add([first])
    with opened(path) as ledger:
        ledger.add(others)
        assert ledger.entries == [Entry(first), *map(Entry, others)]
    with opened(path) as ledger:
        assert ledger.entries == [Entry(first), *map(Entry, others)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_revoked_once(path: Path, make: Make) -> None:
    one, other = make(), make()
    for at in (NOW, NOW + 9):
        with opened(path) as ledger:
            if not ledger.entries:
                ledger.add([one, other])
            ledger.revoke(ledger.entries[:1], at)
            assert ledger.entries == [Entry(one, NOW), Entry(other)]
    with opened(path) as ledger:
        assert ledger.entries == [Entry(one, NOW), Entry(other)]


def test_good_until_the_end_or_revoked(make: Make) -> None:
    entry = Entry(make(lifetime=60.0))
    assert [entry.is_good(NOW + s) for s in (0, 59.9, 60)] == [True, True, False]
    assert Entry(make()).is_good(NOW * 2)
    assert not Entry(make(), NOW).is_good(NOW)


def test_what_ended_long_ago_is_forgotten_when_something_is_written(path: Path, make: Make) -> None:
    ended, later, revoked, lasting = *(make(lifetime=s) for s in (60.0, 90.0, 9.0)), make()
    with opened(path) as ledger:
        ledger.add([ended, later, revoked, lasting])
        ledger.revoke(ledger.entries[2:3], NOW + 9)
    rest = [Entry(later), Entry(revoked, NOW + 9), Entry(lasting)]
    for now, found in (
        (None, [Entry(ended), *rest]),
        (NOW + 59.0 + KEPT_S, [Entry(ended), *rest]),
        (NOW + 60.0 + KEPT_S, rest),
        (None, rest),
        (NOW + 999.0 + KEPT_S, rest[1:]),
    ):
        with opened(path, now) as ledger:
            assert ledger.entries == found
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [other for other in path.parent.iterdir() if other != path] == []


def test_no_token_is_in_it(path: Path, key: Ed25519PrivateKey, make: Make) -> None:
    credential = make()
    token = issue.token(credential, key)
    with opened(path) as ledger:
        ledger.add([credential])
    assert not any(part in path.read_text() for part in token.split("."))


def test_only_one_at_a_time(path: Path, make: Make) -> None:
    def add(_: int) -> int:
        with opened(path) as ledger:
            before = len(ledger.entries)
            ledger.add([make()])
            return before

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(add, range(40))) == list(range(40))


def test_who_waits_while_some_are_forgotten_writes_into_the_file_that_is_left(
    path: Path, make: Make
) -> None:
    """Each adds one that has ended when the next one comes, so that each puts a file in place."""

    def add(number: int) -> None:
        with opened(path, NOW + KEPT_S + 99.0) as ledger:
            ledger.add([make(lifetime=9.0), make(id=f"endpoint_{number}")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    with opened(path, NOW + KEPT_S + 99.0) as ledger:
        assert {entry.credential.id for entry in ledger.entries} == {
            f"endpoint_{number}" for number in range(40)
        }


@pytest.mark.parametrize(
    "line", ["", "no json", "[]", "1", "{}", '{"issued": {}}', '{"revoked": "00000000000000ff"}']
)
def test_a_damaged_line_is_named(path: Path, make: Make, line: str) -> None:
    with opened(path) as ledger:
        ledger.add([make()])
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(LedgerDamaged, match=f"^{path}, line 2: "), opened(path):
        pass


@pytest.fixture
def little_room(path: Path) -> Iterator[None]:
    """Files may grow to 300 bytes, which is two lines and a part of the next."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("little_room")
def test_a_full_disk_leaves_whole_lines(path: Path, make: Make) -> None:
    first = make()
    with opened(path) as ledger:
        ledger.add([first])
        size = path.stat().st_size
        with pytest.raises(OSError, match="File too large"):
            ledger.add([make(), make()])
        assert ledger.entries == [Entry(first)]
    assert 100 < size == path.stat().st_size
    with opened(path) as ledger:
        assert ledger.entries == [Entry(first)]


def test_a_full_disk_has_nothing_forgotten(
    path: Path, make: Make, request: pytest.FixtureRequest
) -> None:
    issued = [make(lifetime=9.0), *(make() for _ in range(9))]
    with opened(path) as ledger:
        ledger.add(issued)
    request.getfixturevalue("little_room")
    with pytest.raises(OSError, match="File too large"), opened(path, NOW + KEPT_S + 9.0):
        pass
    with opened(path) as ledger:
        assert ledger.entries == [*map(Entry, issued)]
