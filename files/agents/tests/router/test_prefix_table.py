from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from nrs.config.types import IPNetwork
from nrs.router.prefix_table import PrefixTable

NETWORKS = st.builds(
    lambda number, bits: ipaddress.ip_network((number << 24, bits), strict=False),
    st.integers(0, 255),
    st.integers(0, 8),
) | st.builds(
    lambda number, bits: ipaddress.IPv6Network((number << 120, bits), strict=False),
    st.integers(0, 255),
    st.integers(0, 8),
)


def meet(one: IPNetwork, other: IPNetwork) -> bool:
    return one.version == other.version and one.overlaps(other)


@given(st.lists(st.tuples(st.booleans(), NETWORKS, st.integers(1, 3)), max_size=30), NETWORKS)
def test_it_is_as_a_plain_list_would_be(
    steps: list[tuple[bool, IPNetwork, int]], asked: IPNetwork
) -> None:
    table, plain = PrefixTable(), dict[IPNetwork, int]()
    for put, network, session in steps:
        if put:
            table.put(network, session)
            plain = {n: s for n, s in plain.items() if not meet(n, network)} | {network: session}
        else:
            table.drop(network, session)
            if plain.get(network) == session:
                del plain[network]
    assert bool(table) == bool(plain)
    assert table.get(asked) == plain.get(asked, 0)
    assert sorted(table.overlapping(asked)) == sorted(s for n, s in plain.items() if meet(n, asked))
    for address in (asked.network_address, asked.broadcast_address):
        expected = next((s for n, s in plain.items() if address in n), 0)
        assert table.session_of(address.packed) == expected


def test_what_is_no_address_belongs_to_nobody() -> None:
    table = PrefixTable()
    table.put(ipaddress.ip_network("0.0.0.0/0"), 7)
    assert table.session_of(b"") == 0
