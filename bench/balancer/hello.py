"""A Flask app with one route and nothing else, behind the agents' own HTTP server.

Usage: hello.py PORT
"""

from __future__ import annotations

import sys

from flask import Flask
from nrs.api.listener import listen
from nrs.api.server import HttpService

app = Flask("hello")


@app.get("/hello")
def hello() -> dict[str, str]:
    """The least that a route can answer."""
    return {"hello": "world"}


if __name__ == "__main__":
    HttpService(app, listen("127.0.0.1", int(sys.argv[1]))).run()
