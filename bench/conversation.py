"""Asking a child one thing at a time: a word on its standard input, a line of JSON back."""

from __future__ import annotations

import json
import select

from bench.netns import Child
from bench.shell import BenchError


class Conversation:
    """With a child that was started for it."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def ask(self, word: str, limit: float) -> dict[str, float]:
        """The answer, which has to come within `limit` seconds. Raises BenchError."""
        asked, answers = self._child.process.stdin, self._child.process.stdout
        assert asked is not None
        assert answers is not None
        try:
            asked.write(f"{word}\n".encode())
            asked.flush()
        except BrokenPipeError:
            raise BenchError(f"{self._child.name} has ended:\n{self._child.tail}") from None
        ready, _, _ = select.select([answers], [], [], limit)
        if not ready:
            raise BenchError(f"{self._child.name}: no answer to {word!r} after {limit:.0f} s")
        line = answers.readline()
        if not line:
            raise BenchError(f"{self._child.name} has ended:\n{self._child.tail}")
        return {key: float(value) for key, value in json.loads(line).items()}
