"""What is asked of the kernel, in which order. What it does is tested in namespaces:
tests/netns/host/test_host_routes.py.
"""

from __future__ import annotations

import errno
import ipaddress
import threading
from collections.abc import Iterator, Sequence
from typing import cast

import pytest
from testbed.wait import wait_until

from nrs.system.host_routes import HostRoutes, Refused
from nrs.system.route import Prefix, network_of, prefix_of
from nrs.system.route_keeper import RouteKeeper

FIRST = int(ipaddress.ip_address("10.20.0.0"))
ONE, TWO = (4, FIRST + 1, 32), (4, FIRST + 2, 32)
THREE = (4, FIRST + 256, 24)


def asked(sign: str, prefix: Prefix) -> bytes:
    return f"{sign}{network_of(prefix)}".encode()


class Kernel:
    """Routes that can be held up; requests are `+` or `-` and a prefix."""

    def __init__(self) -> None:
        self.routed: set[Prefix] = set()
        self.batches: list[list[bytes]] = []
        self.others: set[Prefix] = set()
        """Routed elsewhere by somebody else."""
        self.refuses: set[Prefix] = set()
        self.fails = False
        self.looks = 0
        self.free = threading.Event()
        self.free.set()
        self.asked = threading.Semaphore(0)
        self.closed = False

    def request(self, prefix: Prefix, *, wanted: bool) -> bytes:
        return asked("+" if wanted else "-", prefix)

    def carry_out(self, requests: Sequence[bytes]) -> list[Refused]:
        self.asked.release()
        assert self.free.wait(10)
        if self.fails:
            raise OSError(errno.ENOBUFS, "no buffer")
        self.batches.append(list(requests))
        refused = []
        for request in requests:
            wanted = request[:1] == b"+"
            prefix = prefix_of(ipaddress.ip_network(request[1:].decode()))
            if prefix in self.refuses:
                refused.append(Refused(prefix, wanted, errno.ENETDOWN))
            elif wanted and prefix in self.routed | self.others:
                refused.append(Refused(prefix, wanted, errno.EEXIST))
            elif wanted:
                self.routed.add(prefix)
            else:
                self.routed.discard(prefix)
        return refused

    def present(self) -> set[Prefix]:
        if self.fails:
            raise OSError(errno.EPERM, "not allowed")
        self.looks += 1
        return set(self.routed)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def keeper(kernel: Kernel) -> Iterator[RouteKeeper]:
    keeper = RouteKeeper(cast(HostRoutes, kernel), "tun0")
    yield keeper
    kernel.free.set()
    keeper.close()
    assert kernel.closed


def test_the_last_word_on_an_address_holds(kernel: Kernel, keeper: RouteKeeper) -> None:
    keeper.add([ONE, TWO])
    keeper.remove([ONE])
    keeper.remove([TWO])
    keeper.add([TWO])
    keeper.remove([THREE])
    keeper.close()
    assert kernel.routed == {TWO}
    requests = [request for batch in kernel.batches for request in batch]
    wanted = [("+", ONE), ("+", TWO), ("-", ONE), ("-", TWO), ("+", TWO), ("-", THREE)]
    assert requests == [asked(sign, prefix) for sign, prefix in wanted]


def test_nobody_waits_for_the_kernel_and_what_piles_up_goes_in_batches(
    kernel: Kernel, keeper: RouteKeeper
) -> None:
    kernel.free.clear()
    keeper.add([ONE])
    assert kernel.asked.acquire(timeout=10)
    prefixes = [(4, FIRST + 512 + number, 32) for number in range(1000)]
    for prefix in prefixes:
        keeper.add([prefix])
    assert kernel.routed == set()
    kernel.free.set()
    keeper.close()
    assert kernel.routed == {ONE, *prefixes}
    assert [len(batch) for batch in kernel.batches] == [1, *[64] * 15, 40]


def test_what_an_earlier_process_has_left_goes_and_nothing_else(
    kernel: Kernel, keeper: RouteKeeper
) -> None:
    kernel.routed = {(4, FIRST + 512 + number, 32) for number in range(100)} | {ONE}
    kernel.free.clear()
    keeper.add([ONE, TWO])
    keeper.drop_others()
    keeper.add([THREE])
    kernel.free.set()
    keeper.close()
    assert kernel.routed == {ONE, TWO, THREE}


def test_what_somebody_takes_is_put_back_told_and_counted(
    kernel: Kernel, keeper: RouteKeeper, caplog: pytest.LogCaptureFixture
) -> None:
    other = (4, FIRST + 3, 32)
    kernel.routed = {other}
    keeper.add([ONE, TWO, THREE])
    keeper.remove([TWO])
    keeper.look()
    wait_until(lambda: kernel.routed == {other, ONE, THREE}, 10, "all is done")
    kernel.routed = set()
    keeper.look()
    wait_until(lambda: keeper.put_back == 2, 10, "they are back")
    assert kernel.routed == {ONE, THREE}
    assert [record.getMessage() for record in caplog.records] == [
        "route 10.20.0.1/32, route 10.20.1.0/24 of tun0 removed by somebody: put back"
    ]
    assert keeper.problems == []


def test_a_route_in_the_place_of_ours_is_told_once_and_nothing_is_put_back(
    kernel: Kernel, keeper: RouteKeeper, caplog: pytest.LogCaptureFixture
) -> None:
    kernel.routed = {TWO}
    kernel.others = {ONE}
    keeper.add([ONE, TWO])
    keeper.look()
    keeper.look()
    wait_until(lambda: kernel.looks >= 4, 10, "it has been looked at, and tried again")
    assert keeper.put_back == 0
    told = [record.getMessage() for record in caplog.records]
    assert told == ["cannot add the route of 10.20.0.1 to tun0: File exists"]
    kernel.others = set()
    wait_until(lambda: kernel.routed == {ONE, TWO}, 10, "it is there as soon as it can be")


def test_what_is_refused_is_told_and_the_rest_is_done(
    kernel: Kernel, keeper: RouteKeeper, caplog: pytest.LogCaptureFixture
) -> None:
    kernel.refuses = {ONE, THREE}
    keeper.add([ONE, TWO, THREE])
    keeper.remove([ONE])
    keeper.close()
    assert kernel.routed == {TWO}
    assert [record.getMessage() for record in caplog.records] == [
        "cannot add the route of 10.20.0.1 to tun0: Network is down",
        "cannot add the route of 10.20.1.0/24 to tun0: Network is down",
        "cannot remove the route of 10.20.0.1 to tun0: Network is down",
    ]


def test_a_socket_that_fails_is_told_and_tried_again(
    kernel: Kernel, keeper: RouteKeeper, caplog: pytest.LogCaptureFixture
) -> None:
    kernel.fails = True
    kernel.free.clear()
    keeper.add([ONE])
    assert kernel.asked.acquire(timeout=10)
    keeper.drop_others()
    keeper.add([TWO])
    kernel.free.set()
    assert kernel.asked.acquire(timeout=10)
    kernel.fails = False
    keeper.add([THREE])
    keeper.close()
    assert "cannot change the routes to tun0: [Errno 105] no buffer" in caplog.text
    assert "cannot list the routes to tun0: [Errno 1] not allowed" in caplog.text
    assert THREE in kernel.routed
