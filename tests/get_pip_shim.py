"""Stands in for the installer of pip that ansible-test would download.

pip comes from the interpreter's own ensurepip; what else is asked for, from the
package index by ordinary means.
"""

from __future__ import annotations

import subprocess
import sys

NOT_FOR_PIP = {"--no-setuptools", "--no-wheel"}


def main(words: list[str]) -> int:
    """Install pip, then what `words` name, as get-pip.py does."""
    ensure = [sys.executable, "-m", "ensurepip", "--default-pip"]
    subprocess.run(ensure, stdout=subprocess.DEVNULL, check=True)
    wanted = [word for word in words if word not in NOT_FOR_PIP]
    return subprocess.call([sys.executable, "-m", "pip", "install", "-qq", *wanted])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
