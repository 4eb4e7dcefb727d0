"""An endpoint's keys by router: a file with a router's id and key a line, `#` begins a comment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import hexdigits

from nrs.config import text_file
from nrs.config.secret import decode_device_key
from nrs.tunnel.wire import LONGEST_ID

_LIKE_A_KEY = 32


def read(path: Path) -> dict[str, bytes]:
    """The keys in a file, by router id. Raises ValueError, which names file and line."""
    keys: dict[str, bytes] = {}
    for number, line in enumerate(text_file.read(path).splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        where = f"{path}, line {number}"
        if len(words) != 2 or len(words[0]) > LONGEST_ID or _is_key(words[0]):
            # Not what it says: that may be a key.
            raise ValueError(f"{where}: is not a router's id and its key")
        router_id, text = words
        if router_id in keys:
            raise ValueError(f"{where}: router {router_id} has a key already")
        keys[router_id] = _decoded(text, f"{where}: the key for {router_id}")
    return keys


def decoded(given: Mapping[str, str], field: str) -> dict[str, bytes]:
    """The keys of a field's mapping. Raises ValueError, which names the field, and no key."""
    if any(map(_is_key, given)):
        raise ValueError(f"{field}: a key stands in the place of a router's id")
    return {router_id: _decoded(text, f"{field}.{router_id}") for router_id, text in given.items()}


def _is_key(text: str) -> bool:
    """Or what is left of one: no id is mistaken for it that people would choose."""
    return len(text) >= _LIKE_A_KEY and all(digit in hexdigits for digit in text)


def _decoded(text: str, where: str) -> bytes:
    try:
        return decode_device_key(text)
    except ValueError as error:
        raise ValueError(f"{where} {error}") from None
