"""The keys of the two files that have tunnels: modes, epochs, and what is refused."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from nrs.config.loader import ConfigError, load
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.router.config import RoutingServerConfig
from nrs.tunnel.wire import Cipher
from tests.config.test_files import ENDPOINT, PSK, ROUTING_SERVER

BEFORE = base64.b64encode(bytes(range(50, 82))).decode()
DEVICE_KEY = bytes(range(32)).hex()
NUMBER = "31415926535"


def router(tmp_path: Path, *more: str) -> RoutingServerConfig:
    text = ROUTING_SERVER.replace(f'psk: "{PSK}"', ", ".join((f'psk: "{PSK}"', *more)))
    return load(written(tmp_path, text), RoutingServerConfig)


def endpoint(tmp_path: Path, *keys: str) -> NetworkAccessEndpointConfig:
    text = ENDPOINT.replace(f'  psk: "{PSK}"\n', "".join(f"  {key}\n" for key in keys))
    return load(written(tmp_path, text), NetworkAccessEndpointConfig)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "file.yaml"
    file.write_text(text)
    return file


def test_a_router_without_further_keys_takes_the_psk_of_epoch_0_alone(tmp_path: Path) -> None:
    tunnel = router(tmp_path).tunnel
    assert tunnel.keys == {0: bytes(range(32))}
    assert tunnel.modes == ["shared"]


@pytest.mark.parametrize(("epoch", "before"), [(1, 0), (255, 254), (0, 255)])
def test_the_previous_key_is_of_the_epoch_before(tmp_path: Path, epoch: int, before: int) -> None:
    file = tmp_path / "previous"
    file.write_text(BEFORE + "\n")
    for key in (f'previous_psk: "{BEFORE}"', f"previous_psk_file: {file}"):
        tunnel = router(tmp_path, f"key_epoch: {epoch}", key).tunnel
        assert tunnel.keys == {epoch: bytes(range(32)), before: bytes(range(50, 82))}


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("key_epoch: 256", r"tunnel\.key_epoch: found 256"),
        ("key_epoch: -1", r"tunnel\.key_epoch: found -1"),
        ("key_epoch: '1'", r"tunnel\.key_epoch: found '1'"),
        ("key_modes: []", r"tunnel\.key_modes: .*at least 1"),
        ("key_modes: [devise]", r"key_modes\[0\]: found 'devise': .*'shared' or 'device'"),
        ("key_modes: device", r"tunnel\.key_modes: found 'device'"),
        ("ciphers: []", r"tunnel\.ciphers: .*at least 1"),
        ("ciphers: [aes-128-gcm]", r"ciphers\[0\]: found 'aes-128-gcm': .*'chacha20-poly1305'"),
        (f'previous_psk: "{PSK}"', "tunnel: previous_psk is the same key as psk"),
        ("previous_psk: CHANGE_ME", "tunnel: previous_psk is a placeholder"),
        (f"previous_psk: {NUMBER}", r"tunnel\.previous_psk: .*valid string"),
        ("previous_psk_file: /no/such", "previous_psk_file: cannot read /no/such: No such file"),
        (
            f'previous_psk: "{BEFORE}", previous_psk_file: /x',
            "tunnel: takes only one of previous_psk, .* found previous_psk and previous_psk_file",
        ),
        (
            f'router_key: "{DEVICE_KEY}"',
            "tunnel: takes only one of psk, .* found psk and router_key",
        ),
        ("previous_router_key: abc", "tunnel: previous_router_key must be 64 hexadecimal digits"),
    ],
)
def test_what_is_wrong_with_a_routers_keys(tmp_path: Path, more: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        router(tmp_path, more)
    assert str(tmp_path / "file.yaml") in str(refused.value)
    assert BEFORE not in str(refused.value)
    assert NUMBER not in str(refused.value)


def with_router_key(tmp_path: Path, *more: str) -> RoutingServerConfig:
    key = f'router_key: "{DEVICE_KEY}"'
    text = ROUTING_SERVER.replace(f'psk: "{PSK}"', ", ".join((key, *more)))
    return load(written(tmp_path, text), RoutingServerConfig)


def test_a_key_of_a_routers_own_opens_device_keys_alone(tmp_path: Path) -> None:
    tunnel = with_router_key(tmp_path).tunnel
    assert tunnel.keys == {0: bytes(range(32))}
    assert tunnel.modes == ["device"]
    assert with_router_key(tmp_path, "key_modes: [device]").tunnel.modes == ["device"]
    problem = "tunnel: key_modes: shared needs a PSK in the place of router_key"
    with pytest.raises(ConfigError, match=problem):
        with_router_key(tmp_path, "key_modes: [device, shared]")


@pytest.mark.parametrize("kind", ["psk", "router_key"])
def test_the_key_before_a_routers_own_may_be_of_either_kind(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "previous"
    file.write_text(BEFORE if kind == "psk" else bytes(range(50, 82)).hex())
    tunnel = with_router_key(tmp_path, "key_epoch: 1", f"previous_{kind}_file: {file}").tunnel
    assert tunnel.keys == {1: bytes(range(32)), 0: bytes(range(50, 82))}
    assert tunnel.modes == ["device"]


def test_an_endpoint_has_a_psk_or_a_device_key(tmp_path: Path) -> None:
    file = tmp_path / "device_key"
    file.write_text(DEVICE_KEY.upper() + "\n")
    shared = endpoint(tmp_path, f'psk: "{PSK}"').tunnel
    assert (shared.has_device_key, shared.key_epoch) == (False, 0)
    for key in (f'device_key: "{DEVICE_KEY}"', f"device_key_file: {file}"):
        tunnel = endpoint(tmp_path, key, "key_epoch: 7").tunnel
        assert (tunnel.key, tunnel.has_device_key) == (bytes(range(32)), True)
        assert tunnel.key_epoch == 7


OTHER_KEY = bytes(range(7, 39)).hex()
ROUTERS = ("router_1", "router_2")


def test_an_endpoint_has_a_key_for_each_router(tmp_path: Path) -> None:
    file = tmp_path / "device_keys"
    file.write_text(f"# by router\nrouter_2 {OTHER_KEY}\n\nrouter_1 {DEVICE_KEY}  # the first\n")
    inline = f'device_keys: {{router_1: "{DEVICE_KEY}", router_2: "{OTHER_KEY}"}}'
    for key in (inline, f"device_keys_file: {file}"):
        tunnel = endpoint(tmp_path, key).tunnel
        assert tunnel.has_device_key
        assert [tunnel.key_for(router) for router in (*ROUTERS, "router_3")] == [
            bytes(range(32)),
            bytes(range(7, 39)),
            None,
        ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"router_1 {DEVICE_KEY}", "tunnel: device_keys_file has no key for router router_2"),
        (f"router_1 {DEVICE_KEY} x", "device_keys, line 1: is not a router's id and its key"),
        ("# none\nrouter_1", "device_keys, line 2: is not a router's id and its key"),
        (DEVICE_KEY, "device_keys, line 1: is not a router's id and its key"),
        (f"{DEVICE_KEY} router_1", "device_keys, line 1: is not a router's id and its key"),
        (f"{DEVICE_KEY[:-1]} router_1", "device_keys, line 1: is not a router's id and its key"),
        (f"{DEVICE_KEY}0 router_1", "device_keys, line 1: is not a router's id and its key"),
        ("router_1 x", "device_keys, line 1: the key for router_1 must be 64 .* found 1 char"),
        ("router_1: " + DEVICE_KEY[:-1], "line 1: the key for router_1: must be 64 .* found 63"),
        (
            f"router_1 {DEVICE_KEY}\nrouter_1 {OTHER_KEY}",
            "line 2: router router_1 has a key already",
        ),
        ("router_1 " + "00" * 32, "line 1: the key for router_1 is a placeholder"),
        ("router_1 ä", "device_keys: is not ASCII text"),
    ],
)
def test_what_is_wrong_with_an_endpoints_keys_by_router(
    tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "device_keys"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=problem) as refused:
        endpoint(tmp_path, f"device_keys_file: {file}")
    assert DEVICE_KEY[:-1] not in str(refused.value)


ALL = "psk, psk_file, device_key, device_key_file, device_keys and device_keys_file"


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ((), f"tunnel: needs one of {ALL}"),
        ((f'psk: "{PSK}"', f'device_key: "{DEVICE_KEY}"'), f"takes only one of {ALL}, found psk"),
        ((f'device_key: "{DEVICE_KEY[:-1]}"',), "device_key must be 64 hexadecimal .* 63 char"),
        ((f'device_key: "{DEVICE_KEY[:-1]}g"',), "device_key must be 64 hexadecimal digits"),
        ((f'device_key: "{"00" * 32}"',), "tunnel: device_key is a placeholder"),
        ((f"device_key: {NUMBER}",), r"tunnel\.device_key: .*valid string"),
        (
            (f'device_keys: {{router_1: "{DEVICE_KEY[:-1]}"}}',),
            r"tunnel: device_keys\.router_1 must be 64 hexadecimal .* 63 char",
        ),
        ((f'device_keys: {{"": "{DEVICE_KEY}"}}',), r"tunnel\.device_keys"),
        ((f'device_keys: "{DEVICE_KEY[:-1]}"',), r"tunnel\.device_keys: .*(mapping|dictionary)"),
        ((f'device_keys: ["{DEVICE_KEY[:-1]}"]',), r"tunnel\.device_keys"),
        ((f"device_keys: {{router_1: {NUMBER}}}",), r"tunnel\.device_keys\.router_1: .*string"),
        (
            (f'device_keys: {{"{DEVICE_KEY}": router_1}}',),
            "tunnel: device_keys: a key stands in the place of a router's id",
        ),
        (("device_keys_file: /no/such",), "device_keys_file: cannot read /no/such: No such file"),
        (("device_key_file: /no/such",), "device_key_file: cannot read /no/such: No such file"),
        ((f'psk: "{PSK}"', "key_epoch: 256"), r"tunnel\.key_epoch: found 256"),
    ],
)
def test_what_is_wrong_with_an_endpoints_key(
    tmp_path: Path, keys: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        endpoint(tmp_path, *keys)
    assert str(tmp_path / "file.yaml") in str(refused.value)
    assert DEVICE_KEY[:-1] not in str(refused.value)
    assert NUMBER not in str(refused.value)
    assert PSK not in str(refused.value)


def test_a_file_without_a_device_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "device_key"
    file.write_text(PSK)
    with pytest.raises(ConfigError, match=rf"device_key_file: {file}: must be 64") as refused:
        endpoint(tmp_path, f"device_key_file: {file}")
    assert PSK not in str(refused.value)


def test_no_key_is_printed(tmp_path: Path) -> None:
    tunnel = endpoint(tmp_path, f'device_key: "{DEVICE_KEY}"').tunnel
    server = router(tmp_path, f'previous_psk: "{BEFORE}"').tunnel
    for text in (repr(tunnel), str(tunnel.model_dump()), repr(server), str(server.model_dump())):
        for secret in (DEVICE_KEY, BEFORE, PSK, str(bytes(range(32))), str(bytes(range(50, 82)))):
            assert secret not in text


def test_bare_files_name_clear_text_and_files_may_name_every_cipher(tmp_path: Path) -> None:
    assert router(tmp_path).tunnel.ciphers == ["none"]
    assert endpoint(tmp_path, f'psk: "{PSK}"').tunnel.cipher == "none"
    names = [cipher.text for cipher in Cipher]
    assert names == ["none", "aes-256-gcm", "chacha20-poly1305"]
    assert router(tmp_path, f"ciphers: [{', '.join(names)}]").tunnel.ciphers == names
    for name in names:
        assert endpoint(tmp_path, f'psk: "{PSK}"', f"cipher: {name}").tunnel.cipher == name
        assert Cipher.named(name).text == name
    with pytest.raises(ConfigError, match=r"tunnel\.cipher: found 'aes': "):
        endpoint(tmp_path, f'psk: "{PSK}"', "cipher: aes")
