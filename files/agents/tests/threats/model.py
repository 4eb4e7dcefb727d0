"""What docs/SECURITY.md says that somebody can do."""

from __future__ import annotations

from pathlib import Path

SECURITY = Path(__file__).resolve().parents[4] / "docs" / "SECURITY.md"


def allowed(title: str) -> list[str]:
    """The lines that the section has in a block."""
    _, _, section = SECURITY.read_text(encoding="utf-8").partition(f"\n## {title}\n")
    lines = section.partition("\n## ")[0].splitlines()
    return [line.strip() for line in lines if line.startswith("    ")]
