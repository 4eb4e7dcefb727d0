"""Asking a child one thing at a time: a word on its standard input, a line of JSON back."""

from __future__ import annotations

import json
from contextlib import suppress

from testbed.process import Child


class Conversation:
    """With a child that was started for it."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def ask(self, word: str, limit: float) -> dict[str, float]:
        """The answer, which has to come within `limit` seconds. Raises Failed."""
        asked = self._child.process.stdin
        assert asked is not None
        with suppress(BrokenPipeError):  # it has ended, and so does its output
            asked.write(f"{word}\n".encode())
            asked.flush()
        line = self._child.line(limit)
        return {key: float(value) for key, value in json.loads(line).items()}
