"""What it takes to call the APIs of a lab: its CA, and tokens as its control node makes them."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.request

from lab.settings import CHECKOUT, Settings
from testbed.failed import Failed


def opener(settings: Settings) -> urllib.request.OpenerDirector:
    """What opens URLs of the services, trusting their CA alone. Raises Failed."""
    authority = settings.state / "secrets" / "ca.pem"
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise Failed(f"{authority}: {error.strerror}") from None
    # No proxy of this machine's leads into the lab.
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )


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
