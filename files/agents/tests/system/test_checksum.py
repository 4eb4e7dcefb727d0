from __future__ import annotations

import pytest

from nrs.system.checksum import internet_checksum


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        ("0001f203f4f5f6f7", 0x220D),  # RFC 1071 section 3
        ("", 0xFFFF),
        ("ffff", 0),
        ("ffffffff0001", 0xFFFE),
    ],
)
def test_internet_checksum(data: str, checksum: int) -> None:
    assert internet_checksum(bytes.fromhex(data)) == checksum
