from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from nrs.config.loader import ConfigError, build, load
from nrs.config.secret import KeyedSection
from nrs.config.types import Address, Name, Port, Section


class Peer(Section):
    peer_id: Name
    address: Address | None = None


class Server(Section):
    port: Port = 1
    number: Annotated[int, Field(strict=True)] | Name = 0


class Example(Section):
    server: Server = Server()
    tunnel: KeyedSection | None = None
    peers: list[Peer] = Field(default_factory=list)
    ports: dict[Name, Server] = Field(default_factory=dict)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "example.yaml"


def problems(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, Example)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(str(file)) for line in lines)
    return [line.removeprefix(str(file)) for line in lines]


def test_a_good_file(file: Path) -> None:
    file.write_text("server: {port: 5}\npeers: [{peer_id: a, address: '2001:db8::1'}]\n")
    example = load(file, Example)
    assert example.server.port == 5
    assert str(example.peers[0].address) == "2001:db8::1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ": is empty"),
        ("# nothing\n", ": is empty"),
        ("[1]", ": must be a mapping of sections, found list"),
        ("a: [", ":1: expected the node content, but found '<stream end>'"),
        ("server:\n\tport: 1", ":2: found character '\\t' that cannot start any token"),
        ("server: {port: 1}\nserver: {port: 2}", ":2: key 'server' is given twice"),
        ("server:\n  port: 1\n  port: 1", ":3: key 'port' is given twice"),
        ("server: {1: 2}", ":1: the key 1 must be text"),
        ("server: {0755: 2}", ":1: the key 0755 must be text"),
        ("server: {no: 2}", ":1: the key no must be text"),
        ("server: {~: 2}", ":1: the key null must be text"),
        ("? [a]\n: 1", ":1: the key ['a'] must be text"),
        ("server:", ": server: must be a mapping of keys to values"),
        ("server: 5", ": server: must be a mapping of keys to values"),
        ("sever: {}", ": sever: unknown key; allowed here: peers, ports, server, tunnel"),
        ("server: {prot: 5}", ": server.prot: unknown key; allowed here: number, port"),
        ("server: {str: 5}", ": server.str: unknown key; allowed here: number, port"),
        (
            "server: {port: '5'}",
            ": server.port: found '5': must be a whole number, at least 1, at most 65535, in",
        ),
        (
            "server: {port: 70000}",
            ": server.port: found 70000: Input should be less than or equal to 65535",
        ),
        ("peers: [{}]", ": peers[0].peer_id: is required"),
        (
            "peers: [{peer_id: a}, {peer_id: b, adress: 1}]",
            ": peers[1].adress: unknown key; allowed here: address, peer_id",
        ),
        (
            "peers: [{peer_id: a, address: 10.0.0.256}]",
            ": peers[0].address: found '10.0.0.256': must be an IPv4 or IPv6 address",
        ),
        ("server: {port: null}", ": server.port: found null: must be a whole number"),
        (
            "ports: {web: {port: 70000}}",
            ": ports.web.port: found 70000: Input should be less than or equal to 65535",
        ),
        ("ports: {web: {prot: 5}}", ": ports.web.prot: unknown key; allowed here: number, port"),
        ("[" * 5000, ": nested too deeply"),
        ("a: !!python/object/apply:os.system ['true']", ":1: could not determine a constructor"),
    ],
)
def test_a_problem_names_file_key_and_value(file: Path, text: str, problem: str) -> None:
    (found,) = problems(file, text)
    assert found.startswith(problem)


def test_every_problem_has_its_line(file: Path) -> None:
    found = problems(file, "server: {port: 0, number: 1.5}\nmore: 1\n")
    assert [line.split(": ")[1] for line in found] == [
        "server.port",
        "server.number",
        "server.number",
        "more",
    ]


def test_a_merged_key_may_be_overridden(file: Path) -> None:
    file.write_text("server: &base {port: 5, number: 6}\npeers: []\n")
    assert load(file, Example).server.number == 6
    found = problems(file, "x: &base {port: 5}\nserver: {<<: *base, port: 7, number: 8}\n")
    assert found == [": x: unknown key; allowed here: peers, ports, server, tunnel"]
    found = problems(file, "x: &base {port: 5}\nserver: {<<: *base, port: 7, port: 8}\n")
    assert found == [":2: key 'port' is given twice"]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml: No such file"):
        load(tmp_path / "missing.yaml", Example)
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path, Example)
    (tmp_path / "binary").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="not UTF-8 text at byte 3"):
        load(tmp_path / "binary", Example)


@pytest.mark.parametrize(
    "tunnel",
    [
        {"psk": "Zm9vYmFyc2VjcmV0"},
        {"psk": 123456789},
        {"psk": ["Zm9vYmFyc2VjcmV0"]},
        {"psk": "Zm9vYmFyc2VjcmV0", "psk_file": "/nowhere"},
        {"pskk": "Zm9vYmFyc2VjcmV0"},
    ],
)
def test_no_message_holds_a_secret(tunnel: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        build({"tunnel": tunnel}, Example, "example.yaml")
    assert "Zm9v" not in str(caught.value)
    assert "123456789" not in str(caught.value)
