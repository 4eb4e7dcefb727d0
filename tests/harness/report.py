"""What was checked, with what outcome and in what time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from harness import counts, process
from harness.counts import Counts

Counter = Callable[[str, bool], Counts]


class Unusable(Exception):
    """Something that the checks need is not there; the text says what."""


@dataclass(frozen=True)
class Step:
    """A tool that is to run."""

    command: Sequence[str | Path]
    cwd: Path
    env: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """One step of a part."""

    part: str
    name: str
    counts: Counts
    seconds: float

    @property
    def ok(self) -> bool:
        return self.counts.failed == 0


@dataclass
class Report:
    """Runs steps and keeps their outcomes; a step that fails stops nobody."""

    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def step(
        self,
        part: str,
        name: str,
        command: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str],
        limit: float,
        count: Counter = counts.of_command,
    ) -> Outcome:
        """Run one tool and note how it went."""
        print(f"\n--- {part}: {name}", flush=True)
        ended = process.run(command, cwd=cwd, env=env, limit=limit)
        outcome = Outcome(part, name, count(ended.output, ended.ok), ended.seconds)
        return self.add(outcome)

    def steps_beside(
        self,
        part: str,
        steps: Mapping[str, Step],
        *,
        limit: float,
        count: Counter,
    ) -> None:
        """Run tools side by side; each one's output comes when it has ended."""
        print(f"\n--- {part}: {', '.join(steps)}", flush=True)
        with ThreadPoolExecutor() as pool:
            running = {
                name: pool.submit(
                    process.run, one.command, cwd=one.cwd, env=one.env, limit=limit, at_once=False
                )
                for name, one in steps.items()
            }
        for name, one in running.items():
            ended = one.result()
            print(f"\n--- {part}: {name}\n{ended.output}", flush=True)
            self.add(Outcome(part, name, count(ended.output, ended.ok), ended.seconds))

    def add(self, outcome: Outcome) -> Outcome:
        """Note an outcome."""
        self.outcomes.append(outcome)
        word = "ok" if outcome.ok else "FAILED"
        print(f"--- {outcome.part}: {outcome.name}: {word} in {outcome.seconds:.0f} s", flush=True)
        return outcome

    def fail(self, part: str, name: str, why: str) -> Outcome:
        """Note a step that could not even run."""
        print(why)
        return self.add(Outcome(part, name, Counts(failed=1), 0))

    def note(self, text: str) -> None:
        """Say something now and again at the end."""
        print(f"note: {text}", flush=True)
        self.notes.append(text)

    @property
    def counts(self) -> Counts:
        return counts.total(outcome.counts for outcome in self.outcomes)

    def lines(self) -> list[str]:
        """The closing summary: each step, each part, all."""
        width = max((len(outcome.name) for outcome in self.outcomes), default=0)
        steps = [
            f"  {outcome.part:<7} {outcome.name:<{width}}  {outcome.seconds:6.1f} s  "
            + (str(outcome.counts) if outcome.ok else f"{outcome.counts}  FAILED")
            for outcome in self.outcomes
        ]
        parts = dict.fromkeys(outcome.part for outcome in self.outcomes)
        sums = [
            f"{part}: {counts.total(o.counts for o in self.outcomes if o.part == part)}"
            for part in parts
        ]
        return [*steps, *(f"note: {note}" for note in self.notes), "", *sums, str(self.counts)]
