from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, redirect, request
from testbed.ports import free_port

from nrs.api import service
from nrs.api.client import ApiClient, ApiRefused, ApiUnavailable
from nrs.api.service import ApiError
from tests.api.callers import shared
from tests.serving import serving

TOKEN = "c" * 32


def example(name: str, *, failure: int | None = None) -> Flask:
    app = service.create_app(name, shared(TOKEN))

    @app.post("/echo")
    @app.get("/echo")
    def echo() -> dict[str, Any]:
        if failure is not None:
            raise ApiError(failure, f"{name} says no")
        return {"name": name, "json": request.get_json(silent=True), "args": request.args.to_dict()}

    @app.get("/moved")
    def moved() -> Any:
        return redirect("/echo")

    return app


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def client_of(*urls: str, token: str = TOKEN) -> ApiClient:
    return ApiClient(urls, dict.fromkeys(urls, token))


def test_get_and_post_carry_the_token() -> None:
    with serving(example("one")) as port:
        client = client_of(url(port))
        assert client.get("/echo", {"candidates": "a,b"})["args"] == {"candidates": "a,b"}
        assert client.post("/echo", {"a": 1})["json"] == {"a": 1}


def test_a_refusal_says_status_and_reason() -> None:
    with serving(example("one")) as port, pytest.raises(ApiRefused) as caught:
        client_of(url(port), token="x" * 32).post("/echo", {})
    assert caught.value.status == 401
    assert caught.value.error.startswith("the bearer token is not valid: a shared secret is not")


def test_the_next_server_is_asked_and_kept() -> None:
    with serving(example("two")) as port:
        client = ApiClient(
            [url(free_port()), url(port)], dict.fromkeys([url(free_port()), url(port)], TOKEN)
        )
        assert client.get("/echo")["name"] == "two"
        client._urls.pop()
        assert client.get("/echo")["name"] == "two"


def test_a_server_that_cannot_serve_is_passed_over() -> None:
    with serving(example("one", failure=503)) as one, serving(example("two")) as two:
        assert client_of(url(one), url(two)).get("/echo")["name"] == "two"


def test_the_reason_of_a_server_that_cannot_serve_is_not_lost() -> None:
    with serving(example("one", failure=503)) as port:
        client = ApiClient(
            [url(port), url(free_port())], dict.fromkeys([url(port), url(free_port())], TOKEN)
        )
        with pytest.raises(ApiRefused, match="one says no"):
            client.get("/echo")


def test_a_refusal_is_the_answer_and_no_other_server_is_asked() -> None:
    with serving(example("one", failure=404)) as one, serving(example("two")) as two:
        client = client_of(url(one), url(two))
        with pytest.raises(ApiRefused, match="one says no"):
            client.get("/echo")


def test_nobody_there() -> None:
    client = ApiClient(
        [url(free_port()), url(free_port())],
        dict.fromkeys([url(free_port()), url(free_port())], TOKEN),
    )
    with pytest.raises(ApiUnavailable, match=r"connection failed.*; .*connection failed"):
        client.post("/echo", {})


def test_post_to_all_reports_each_failure() -> None:
    with serving(example("one")) as one, serving(example("two", failure=400)) as two:
        nobody = url(free_port())
        failures = ApiClient(
            [url(one), url(two), nobody], dict.fromkeys([url(one), url(two), nobody], TOKEN)
        ).post_to_all("/echo", {"a": 1}, {url(two): {"b": 2}})
    assert failures.keys() == {url(two), nobody}
    assert "two says no" in failures[url(two)]


def test_redirects_are_not_followed() -> None:
    with serving(example("one")) as port, pytest.raises(ApiRefused) as caught:
        client_of(url(port)).get("/moved")
    assert caught.value.status == 302
