"""What is decided on the control node is decided in filters, which have tests of their own."""

from __future__ import annotations

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_SET = re.compile(r"\{%[-+]?\s*set\b")


def test_no_template_computes_step_by_step() -> None:
    files = [
        path
        for place in ("roles", "playbooks")
        for path in (CHECKOUT / place).rglob("*")
        if path.suffix in {".yml", ".j2"}
    ]
    assert files
    assert [path for path in files if _SET.search(path.read_text(encoding="utf-8"))] == []
