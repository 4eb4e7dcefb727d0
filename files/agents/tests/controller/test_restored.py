"""The roles' program for backups, on a registry that a controller has open, and on a wiped host."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nrs.api.messages import Registration
from nrs.controller.registry import Registry

from .conftest import endpoint

PROGRAM = Path(__file__).resolve().parents[4] / "roles" / "common" / "files" / "registry.py"


def run(command: str, file: Path, **given: object) -> dict[str, Any]:
    words = [sys.executable, "-I", str(PROGRAM), command, str(file)]
    said = subprocess.run(
        words, input=json.dumps(given), capture_output=True, text=True, check=True
    ).stdout
    result: dict[str, Any] = json.loads(said)
    return result


def test_a_wiped_controller_has_devices_addresses_and_configuration_again(
    open_registry: Callable[..., Registry], database_file: Path
) -> None:
    before = open_registry()
    for device in ("endpoint_1", "endpoint_2"):
        before.register(Registration.model_validate(endpoint(device)))
    version, _ = before.push("endpoint_1", {"metrics": {"report_interval": 5}})
    expected = before.devices()
    copied = run("copy", database_file)
    assert run("compare", database_file, **copied) == {"state": "same", "differing": []}
    before.register(Registration.model_validate(endpoint("endpoint_3")))
    assert run("compare", database_file, **copied)["differing"] == ["endpoint_3"]
    before.close()

    shutil.rmtree(database_file.parent)
    database_file.parent.mkdir()
    run("put", database_file, **copied, check=False)
    after = open_registry()
    assert after.devices() == expected
    assert after.configuration("endpoint_1") == (version, {"metrics": {"report_interval": 5}})


def test_one_that_does_not_start_does_so_with_the_copy(
    open_registry: Callable[..., Registry], database_file: Path
) -> None:
    before = open_registry()
    before.register(Registration.model_validate(endpoint("endpoint_1")))
    copied = run("copy", database_file)
    before.close()
    database_file.write_bytes(b"")
    assert run("compare", database_file, **copied)["state"] == "none"
    run("put", database_file, **copied, check=False)
    assert [device.device_id for device in open_registry().devices()] == ["endpoint_1"]
