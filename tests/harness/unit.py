"""Unit tests: of the agents and their codec in C, of the plugins, of the tools in this checkout."""

from __future__ import annotations

from harness import codec, collection, counts, interpreters, tools
from harness.report import Report, Step
from harness.settings import AGENTS, CHECKOUT, Cache, environment

PART = "unit"
_LIMIT_S = 1200
_NAMESPACES_LIMIT_S = 2100
_NAMESPACES = "tests/netns"
_TIMED = "tests/netns/timed"
"""One after another: what they measure is time."""
_AT_ONCE = ("-n", "2")
_IN_PARALLEL = frozenset({"codec in C", "collection"})
"""Of the rest."""
_ALL_TARGETS = f"--timeout={_LIMIT_S}"
"""They are played as one, before the first test of them."""
_PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "--timeout=120", "--durations=5")


def run(report: Report, cache: Cache) -> None:
    """The agents on the oldest and the newest interpreter, then the rest."""
    chosen = interpreters.oldest_and_newest(interpreters.present())
    versions = " and ".join(interpreter.version for interpreter in chosen)
    if chosen[0].version == interpreters.OLDEST_SUPPORTED:
        report.note(f"the agents' unit tests ran on Python {versions}")
    else:
        report.note(
            f"Python {interpreters.OLDEST_SUPPORTED}, the oldest supported, is not on this machine;"
            f" the agents' unit tests ran on {versions} instead"
        )
    for interpreter in chosen:
        venv = tools.agents(cache, interpreter)
        steps: dict[str, tuple[str, ...]] = {
            f"agents on {interpreter.version}": (*_AT_ONCE, f"--ignore={_NAMESPACES}"),
        }
        if interpreter is chosen[0]:
            # They take most of the time, and the lab's hosts run a newer Python.
            steps |= {
                f"agents in namespaces on {interpreter.version}": (
                    *_AT_ONCE,
                    _NAMESPACES,
                    f"--ignore={_TIMED}",
                ),
                f"agents by the clock on {interpreter.version}": (_TIMED,),
            }
        for name, words in steps.items():
            report.step(
                PART,
                name,
                [venv.python, *_PYTEST, *words],
                cwd=AGENTS,
                env=environment(cache, venv.bin, PYTHONPATH=str(codec.ensure(cache, venv))),
                limit=_NAMESPACES_LIMIT_S if _TIMED in words else _LIMIT_S,
                count=counts.of_pytest,
            )
    ansible = tools.ansible(cache)
    for name, tests, imports in (
        ("codec in C", "tests/codec_unit", CHECKOUT),
        ("testbed", "tests/testbed_unit", CHECKOUT),
        ("lab", "tests/lab_unit", CHECKOUT),
        ("harness", "tests/harness_unit", CHECKOUT / "tests"),
        ("bench", "tests/bench_unit", CHECKOUT),
        ("collection", "tests/collection_unit", CHECKOUT),
    ):
        report.step(
            PART,
            name,
            [ansible.python, *_PYTEST, *(_AT_ONCE if name in _IN_PARALLEL else ()), tests],
            cwd=CHECKOUT,
            env=environment(cache, ansible.bin, PYTHONPATH=str(imports)),
            limit=_LIMIT_S,
            count=counts.of_pytest,
        )
    _targets(report, cache)
    _plugins(report, cache)


def _targets(report: Report, cache: Cache) -> None:
    """Of the plugins, run by either ansible-core against services of the checkout."""
    agents = tools.agents(cache, interpreters.oldest_and_newest(interpreters.present())[0])
    imports = (AGENTS, CHECKOUT, codec.ensure(cache, agents))
    steps = {}
    for name, environment_of in (("oldest", tools.ansible), ("newest", tools.newest_ansible)):
        ansible = environment_of(cache)
        steps[f"targets, {name} ansible-core on {ansible.interpreter.version}"] = Step(
            [agents.python, *_PYTEST, _ALL_TARGETS, "tests/integration"],
            cwd=CHECKOUT,
            env={
                **tools.ansible_environment(cache, ansible),
                "ANSIBLE_COLLECTIONS_PATH": str(collection.link(cache)),
                "PYTHONPATH": ":".join(map(str, imports)),
            },
        )
    report.steps_beside(PART, steps, limit=_LIMIT_S, count=counts.of_pytest)


def _plugins(report: Report, cache: Cache) -> None:
    """Their tests by themselves, side by side with either ansible-core."""
    steps = {}
    for name, environment_of in (("oldest", tools.ansible), ("newest", tools.newest_ansible)):
        ansible = environment_of(cache)
        version, copy = ansible.interpreter.version, collection.refresh(cache, name)
        steps[f"plugins, {name} ansible-core on {version}"] = Step(
            ["ansible-test", "units", "--python", version],
            cwd=copy,
            env={
                **tools.ansible_environment(cache, ansible),
                "ANSIBLE_COLLECTIONS_PATH": str(copy.parents[2]),
            },
        )
    report.steps_beside(PART, steps, limit=_LIMIT_S, count=counts.of_pytest)
