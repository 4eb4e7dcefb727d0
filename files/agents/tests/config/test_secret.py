from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from nrs.config.secret import KeyedSection, decode_psk

KEY = bytes(range(100, 132))
TEXT = base64.b64encode(KEY).decode()


def test_both_alphabets() -> None:
    key = b"\xfb\xff" * 4 + bytes(range(32))
    assert decode_psk(base64.b64encode(key).decode()) == key
    assert decode_psk(base64.urlsafe_b64encode(key).decode() + "\n") == key


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "decodes to 0 bytes"),
        (base64.b64encode(KEY[:31]).decode(), "decodes to 31 bytes"),
        ("not base64!", "is not base64"),
        (TEXT[:-1], "is not base64"),
        (f"{TEXT[:20]} {TEXT[20:]}", "is not base64"),
        ("CHANGE_ME", "placeholder"),
        ("your-psk-here", "placeholder"),
        ("<psk>", "placeholder"),
        (base64.b64encode(b"A" * 32).decode(), "placeholder"),
        (base64.b64encode(bytes(32)).decode(), "placeholder"),
    ],
)
def test_what_is_no_key_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decode_psk(text)


def test_a_random_key_is_taken() -> None:
    key = os.urandom(32)
    assert decode_psk(base64.b64encode(key).decode()) == key


def test_a_section_takes_psk_or_psk_file(tmp_path: Path) -> None:
    file = tmp_path / "psk"
    file.write_text(TEXT + "\n")
    assert KeyedSection.model_validate({"psk": TEXT}).key == KEY
    assert KeyedSection.model_validate({"psk_file": str(file)}).key == KEY


@pytest.mark.parametrize(
    "section", [{}, {"psk": TEXT, "psk_file": "/x"}, {"psk_file": "/no/such/file"}, {"psk": "abc"}]
)
def test_a_section_needs_one_good_key(section: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        KeyedSection.model_validate(section)


def test_a_key_is_not_printed() -> None:
    section = KeyedSection.model_validate({"psk": TEXT})
    assert TEXT not in repr(section)
    assert TEXT not in str(section.model_dump())
    assert str(KEY) not in repr(section)
