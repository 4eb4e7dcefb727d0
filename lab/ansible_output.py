"""Reading what ansible-playbook prints: progress, results, and what went wrong."""

from __future__ import annotations

import re
from collections import deque

_HEADING = re.compile(r"(?:PLAY|TASK|RUNNING HANDLER) (?:\[(?P<name>.*)\] )?\*+$")
_RECAP_TITLE = re.compile(r"PLAY RECAP \*+$")
_RECAP = re.compile(r"(\S+) +: (ok=\d+ +changed=\d+ +unreachable=\d+ +failed=\d+)")
_RESULT = re.compile(r"(ok|changed|skipping|included): ")
_FAILURE = re.compile(r"(fatal|failed|unreachable): \[|\[ERROR\]|ERROR!")
_LINES_WITHOUT_A_FAILURE = 20


def heading(line: str) -> str:
    """The name in a line that starts a play or a task; empty for every other line."""
    match = _HEADING.match(line)
    return (match["name"] or "") if match else ""


def recap(line: str) -> str:
    """A host's result from the recap, shortened; empty for every other line."""
    match = _RECAP.match(line)
    return f"{match[1]}: {' '.join(match[2].split())}" if match else ""


class Failures:
    """Collects what is worth showing of a run that failed, each below its task's name."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._last: deque[str] = deque(maxlen=_LINES_WITHOUT_A_FAILURE)
        self._task = ""
        self._keeping = False

    def add(self, line: str) -> None:
        self._last.append(line)
        if _HEADING.match(line) or _RECAP_TITLE.match(line):
            self._task, self._keeping = heading(line), False
        elif _FAILURE.match(line):
            if self._task:
                self._kept.append(f"in {self._task}:")
                self._task = ""
            self._keeping = True
            self._kept.append(line)
        elif self._keeping:
            # A message may have several lines; the next host's result ends it.
            self._keeping = not _RESULT.match(line)
            if self._keeping:
                self._kept.append(line)

    def text(self) -> str:
        """The failures, or the last lines where Ansible named none."""
        return "\n".join(self._kept or self._last).strip()
