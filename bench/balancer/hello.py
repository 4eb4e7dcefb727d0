"""A Flask app with one route and nothing else, behind the agents' own HTTP server.

Usage: hello.py PORT [CERTIFICATE KEY], with these by TLS
"""

from __future__ import annotations

import sys

from flask import Flask
from nrs.api import tls
from nrs.api.listener import listen
from nrs.api.server import HttpService
from nrs.config.service_api import ServiceApi

app = Flask("hello")


@app.get("/hello")
def hello() -> dict[str, str]:
    """The least that a route can answer."""
    return {"hello": "world"}


if __name__ == "__main__":
    _pair = dict(zip(("certificate_file", "key_file"), sys.argv[2:], strict=False))
    HttpService(
        app,
        listen("127.0.0.1", int(sys.argv[1])),
        context=tls.served_by(ServiceApi.model_validate(_pair)),
        brief=lambda _: True,
    ).run()
