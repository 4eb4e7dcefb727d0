"""What tests of certificates share: the time, which OpenSSL reads from the clock, and a server."""

from __future__ import annotations

import time
from collections.abc import Callable

TODAY = float(int(time.time()))
DAY = 86400.0
Serve = Callable[..., int]
"""`serve(ca, *hosts, now=, chain=)`: the port of a TLS server with a certificate of that CA."""
