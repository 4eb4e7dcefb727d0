"""The C codec by itself: no warnings, every limit under sanitizers, and fuzzing."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from native import CODEC, SANITIZED, SOURCES, build, providers, run

FUZZ_SECONDS = int(os.environ.get("NRS_FUZZ_SECONDS", "20"))
COMPILERS = ("gcc", "clang")
WARNINGS = (
    *("-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wpointer-arith"),
    *("-Wcast-qual", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wundef", "-Wvla"),
    *("-Wformat=2", "-Wnull-dereference", "-Werror"),
)


each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
PROVIDERS = providers()
each_build = pytest.mark.parametrize("provider", PROVIDERS)


@each_source
@each_build
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_warnings(
    compiler: str, level: str, provider: str, source: Path, tmp_path: Path
) -> None:
    ended = run(
        *(compiler, "-std=c11", level, *WARNINGS, *PROVIDERS[provider][:1], "-I", CODEC),
        *("-c", source, "-o", tmp_path / "object.o"),
    )
    assert (ended.returncode, ended.stdout) == (0, "")


@each_source
def test_the_static_analyzer_finds_nothing(source: Path, tmp_path: Path) -> None:
    ended = run(
        *("gcc", "-std=c11", "-O1", "-fanalyzer", "-Werror", "-I", CODEC),
        *("-c", source, "-o", tmp_path / "object.o"),
    )
    assert (ended.returncode, ended.stdout) == (0, "")


def test_it_needs_nothing_of_python() -> None:
    """Whoever builds it as C alone has it; the binding includes the codec, not the reverse."""
    for source in CODEC.glob("**/nrs_*.[ch]"):
        assert "Python.h" not in source.read_text(encoding="utf-8")


@each_build
@pytest.mark.parametrize("program", ["drive", "drive_carrier", "drive_crypto", "drive_sieve"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_limit_under_sanitizers(
    compiler: str, program: str, provider: str, tmp_path: Path
) -> None:
    ended = run(build(compiler, program, tmp_path, *SANITIZED, *PROVIDERS[provider]))
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout == "every limit held\n"


@pytest.mark.parametrize("harness", ["fuzz_crypto", "fuzz_open", "fuzz_seal", "fuzz_sieve"])
def test_fuzzing_finds_nothing(harness: str, tmp_path: Path) -> None:
    """With random programs to begin with, the same in each run, and those grown from them."""
    flags = [flag for extra in PROVIDERS.values() for flag in extra]
    program = build("clang", harness, tmp_path, "-fsanitize=fuzzer", *SANITIZED, *flags)
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    chance = random.Random(harness)  # noqa: S311
    for number in range(100):
        (seeds / str(number)).write_bytes(chance.randbytes(1 << chance.randrange(2, 10)))
    ended = run(
        program,
        *("-seed=1", "-max_len=1000", f"-max_total_time={FUZZ_SECONDS}", "-timeout=10"),
        *("-print_final_stats=1", f"-artifact_prefix={tmp_path}/", seeds),
    )
    findings = [
        f"{path.name}: {path.read_bytes().hex()}"
        for path in tmp_path.iterdir()
        if path.name.startswith(("crash-", "leak-", "timeout-", "oom-", "slow-unit-"))
    ]
    tail = ended.stdout[-6000:]
    assert not findings, "\n".join([tail, *findings])
    assert ended.returncode == 0, tail
    # Far fewer would say that the harness hangs about, not that the codec is right.
    runs = [line for line in ended.stdout.splitlines() if "number_of_executed_units" in line]
    assert int(runs[0].split()[-1]) > 10 * FUZZ_SECONDS, tail
