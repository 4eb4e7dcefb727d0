"""The load balancer's app behind one of several servers.

python -m bench.api.rivals NAME PORT [CERTIFICATE KEY], with these by TLS 1.3, else by plain HTTP.
"""

from __future__ import annotations

import asyncio
import io
import ssl
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from nrs.api.listener import listen
from nrs.api.server import HttpService

from bench.balancer.app import app


@dataclass(frozen=True)
class Place:
    """Where to serve."""

    port: int
    certificate: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext | None:
        """TLS 1.3, or None for plain HTTP."""
        if self.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.certificate, self.key)
        return context


def agents(place: Place) -> None:
    """The product's own."""
    service = HttpService(
        app, listen("127.0.0.1", place.port), context=place.context(), brief=lambda _: True
    )
    service.run()


def waitress(place: Place) -> None:
    from waitress import serve

    serve(app, listen=f"127.0.0.1:{place.port}", threads=8, connection_limit=20_000)


def cheroot(place: Place) -> None:
    from cheroot.ssl.builtin import BuiltinSSLAdapter
    from cheroot.wsgi import Server

    server = Server(("127.0.0.1", place.port), app, numthreads=8, request_queue_size=1024)
    context = place.context()
    if context is not None:
        server.ssl_adapter = BuiltinSSLAdapter(place.certificate, place.key)
        server.ssl_adapter.context = context
    server.start()


def gevent(place: Place) -> None:
    from gevent.pywsgi import WSGIServer

    context = place.context()
    tls = {} if context is None else {"ssl_context": context}
    WSGIServer(("127.0.0.1", place.port), app, log=None, backlog=1024, **tls).serve_forever()


def _asgi() -> Callable[..., Awaitable[None]]:
    """The WSGI app called in the loop."""

    async def called(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        client = scope.get("client") or ("", 0)
        environ = {
            "REQUEST_METHOD": scope["method"],
            "PATH_INFO": scope["path"],
            "QUERY_STRING": scope["query_string"].decode("latin-1"),
            "REMOTE_ADDR": client[0],
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": scope["scheme"],
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
        }
        for name, value in scope["headers"]:
            environ["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = value.decode(
                "latin-1"
            )
        answer: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            answer["status"] = int(status[:3])
            answer["headers"] = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers]

        whole = b"".join(app(environ, start))
        await send({"type": "http.response.start", **answer})
        await send({"type": "http.response.body", "body": whole})

    return called


def _uvicorn(place: Place, served: Any, loop: str) -> None:
    import uvicorn

    config = uvicorn.Config(
        served,
        port=place.port,
        loop=loop,
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        ssl_certfile=place.certificate,
        ssl_keyfile=place.key,
        timeout_keep_alive=600,
    )
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
    uvicorn.Server(config).run()


def uvicorn_inline(place: Place) -> None:
    _uvicorn(place, _asgi(), "asyncio")


def uvicorn_uvloop(place: Place) -> None:
    _uvicorn(place, _asgi(), "uvloop")


def uvicorn_threads(place: Place) -> None:
    from a2wsgi import WSGIMiddleware

    _uvicorn(place, WSGIMiddleware(app, workers=8), "asyncio")


def hypercorn(place: Place) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{place.port}"]
    config.certfile, config.keyfile = place.certificate, place.key
    config.keep_alive_timeout = 600
    asyncio.run(serve(_asgi(), config, mode="asgi"))


def granian(place: Place) -> None:
    from pathlib import Path

    from granian.constants import Interfaces
    from granian.server.embed import Server

    tls = {}
    if place.certificate is not None and place.key is not None:
        tls = {"ssl_cert": Path(place.certificate), "ssl_key": Path(place.key)}
    server = Server(_asgi(), port=place.port, interface=Interfaces.ASGI, websockets=False, **tls)
    asyncio.run(server.serve())


class _Http(asyncio.Protocol):
    """The least that httptools needs around it."""

    def connection_made(self, transport: Any) -> None:
        import httptools

        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.headers: list[tuple[bytes, bytes]] = []
        self.url = b""
        self.body = b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def answer(self) -> bytes:
        path, _, query = self.url.decode("latin-1").partition("?")
        environ = {
            "REQUEST_METHOD": self.parser.get_method().decode(),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "CONTENT_LENGTH": str(len(self.body)),
        }
        for name, value in self.headers:
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            environ[key] = value.decode("latin-1")
        self.headers, self.url, self.body = [], b"", b""
        head: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            head.append(f"HTTP/1.1 {status}\r\n")
            head.extend(f"{k}: {v}\r\n" for k, v in headers)

        body = b"".join(app(environ, start))
        return ("".join(head) + "\r\n").encode("latin-1") + body

    def on_message_complete(self) -> None:
        self.transport.write(self.answer())


async def _serve(place: Place, factory: Any) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        factory, "127.0.0.1", place.port, ssl=place.context(), backlog=1024
    )
    await server.serve_forever()


def httptools_asyncio(place: Place) -> None:
    asyncio.run(_serve(place, _Http))


def httptools_uvloop(place: Place) -> None:
    import uvloop

    uvloop.run(_serve(place, _Http))


def httptools_hop(place: Place) -> None:
    """As above, with the app called by one of eight threads."""
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(8)

    class Hopping(_Http):
        def on_message_complete(self) -> None:
            loop = asyncio.get_running_loop()
            loop.run_in_executor(pool, self.answer).add_done_callback(
                lambda done: self.transport.write(done.result())
            )

    asyncio.run(_serve(place, Hopping))


if __name__ == "__main__":
    globals()[sys.argv[1]](Place(int(sys.argv[2]), *sys.argv[3:5]))
