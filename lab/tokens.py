"""Tokens for the APIs of a lab, made as its control node makes them."""

from __future__ import annotations

import json
import subprocess

from lab.settings import CHECKOUT, Settings
from testbed.failed import Failed


def operator_token(settings: Settings, url: str, lifetime_s: int) -> str:
    """One for the service at `url`. Raises Failed."""
    asked = {
        "source": str(CHECKOUT / "files" / "agents"),
        "cache": str(settings.root / "wheels"),
        "directory": str(settings.state / "secrets"),
        "signing_key": "",
        "wanted": {"role": "operator", "id": "lab", "urls": [url]},
        "lifetime": lifetime_s,
    }
    program = CHECKOUT / "roles" / "common" / "files" / "credentials.py"
    made = subprocess.run(
        [str(settings.venv / "bin" / "python3"), str(program), "create"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise Failed(f"no token for {url}: {made.stderr.strip()}")
    (token,) = json.loads(made.stdout)["tokens"]
    return str(token)
