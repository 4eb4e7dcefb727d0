"""ansible-test sanity of either ansible-core, on what a consumer of the collection imports."""

from __future__ import annotations

from harness import collection, counts, tools
from harness.report import Report, Step
from harness.settings import Cache

PART = "sanity"
_LIMIT_S = 900
# No plugins: these have linters and a type check of their own (see lint.py), and
# ansible-test takes every file in bin/ for Python.
_LEFT_OUT = (
    "bench/",
    "bin/",
    "files/",
    "lab/",
    "testbed/",
    "tests/bench_unit/",
    "tests/collection_unit/",
    "tests/harness/",
    "tests/harness_unit/",
    "tests/integration/",
    "tests/lab_unit/",
    "tests/system/",
    "tests/testbed_unit/",
)


def run(report: Report, cache: Cache) -> None:
    """All sanity tests, of both side by side; neither has anything to ignore."""
    exclude = [word for name in _LEFT_OUT for word in ("--exclude", name)]
    steps = {}
    for name, environment in (("oldest", tools.ansible), ("newest", tools.newest_ansible)):
        ansible = environment(cache)
        version = ansible.interpreter.version
        copy = collection.refresh(cache, name)
        steps[f"{name} ansible-core on {version}"] = Step(
            ["ansible-test", "sanity", "--python", version, "--requirements", *exclude],
            cwd=copy,
            env={
                **tools.ansible_environment(cache, ansible),
                "ANSIBLE_COLLECTIONS_PATH": str(copy.parents[2]),
            },
        )
    report.steps_beside(PART, steps, limit=_LIMIT_S, count=counts.of_sanity)
