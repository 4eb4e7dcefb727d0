from __future__ import annotations

import pytest

from nrs.balancer.http import answers
from tests.balancer.reports import WALL
from tests.balancer.served import Served


@pytest.fixture
def served() -> Served:
    served = Served({"algorithm": {"slow_start_time": 0.0}})
    served.report("router_1", 0.2)
    served.report("router_2", 0.3)
    served.now += 1
    return served


def test_what_the_endpoint_uses_is_where_the_decision_begins(served: Served) -> None:
    query = "?candidates=router_1,router_2&current=router_2"
    decision = served.asked("get", f"/decision/endpoint_1{query}")
    assert decision["previous_router_id"] == "router_2"
    answers.DecisionMade.model_validate(decision)


@pytest.mark.parametrize("current", ["", "-a", "a b", "%00"])
def test_an_impossible_current_router(served: Served, current: str) -> None:
    answer = served.asked("get", f"/decision/endpoint_1?current={current}", status=400)
    assert answer["field"] == "current"


def test_a_move_says_where_from_and_why(served: Served) -> None:
    assert served.asked("get", "/decision/endpoint_1")["optimal_router_id"] == "router_1"
    served.asked("put", "/servers/router_1/state", {"state": "disabled"})
    decision = served.asked("get", "/decision/endpoint_1")
    assert decision["optimal_router_id"] == "router_2"
    assert decision["previous_router_id"] == "router_1"
    assert "cannot be used any more" in decision["reason"]


def test_the_parts_add_up_to_the_score(served: Served) -> None:
    served.report("router_1", cpu_percent=50.0, memory_percent=25.0, bandwidth_mbps=100.0)
    (router, *_) = served.asked("get", "/decision/endpoint_1?candidates=router_1")["ranking"]
    parts = router["parts"]
    assert parts == {"cpu": 0.5, "memory": 0.75, "bandwidth": 0.9, "connections": 1.0}
    weighted = 0.3 * 0.5 + 0.2 * 0.75 + 0.3 * 0.9 + 0.2 * 1.0
    assert router["score"] == pytest.approx(weighted)


def test_a_routers_own_capacities_count(served: Served) -> None:
    served.report("router_1", bandwidth_mbps=1000.0, max_bandwidth_mbps=4000.0)
    (router, *_) = served.asked("get", "/decision/endpoint_1?candidates=router_1")["ranking"]
    assert router["parts"]["bandwidth"] == 0.75


def test_decisions_are_listed_page_by_page(served: Served) -> None:
    for number in range(7):
        served.asked("get", f"/decision/endpoint_{number}")
    served.now += 5
    first = served.asked("get", "/decisions?limit=3")
    answers.Decisions.model_validate(first)
    assert (first["total"], first["next"]) == (7, "endpoint_2")
    assert first["decisions"][0]["endpoint_id"] == "endpoint_0"
    assert first["decisions"][0]["since"] == pytest.approx(WALL + 1)
    second = served.asked("get", "/decisions?limit=3&after=endpoint_2")
    third = served.asked("get", "/decisions?limit=3&after=endpoint_5")
    pages = [first, second, third]
    listed = [listed["endpoint_id"] for page in pages for listed in page["decisions"]]
    assert listed == [f"endpoint_{number}" for number in range(7)]
    assert third["next"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("after=-", "after")],
)
def test_an_impossible_page(served: Served, query: str, field: str) -> None:
    assert served.asked("get", f"/decisions?{query}", status=400)["field"] == field


def test_an_endpoint_is_explained(served: Served) -> None:
    for _ in range(3):
        served.asked("get", "/decision/endpoint_1")
        served.now += 10
        served.report("router_1", 0.2)
        served.report("router_2", 0.3)
    served.asked("put", "/servers/router_1/state", {"state": "disabled"})
    served.asked("get", "/decision/endpoint_1")
    explained = served.asked("get", "/explain/endpoint_1")
    answers.Explanation.model_validate(explained)
    first, stayed, left = explained["decisions"]
    assert (first["router_id"], first["previous_router_id"]) == ("router_1", None)
    assert first["first"] == pytest.approx(WALL + 1, abs=0.1)
    assert stayed["count"] == 2
    assert stayed["last"] == pytest.approx(WALL + 21, abs=0.1)
    assert (left["router_id"], left["previous_router_id"]) == ("router_2", "router_1")
    assert "cannot be used any more" in left["reason"]


def test_who_has_not_asked_cannot_be_explained(served: Served) -> None:
    answer = served.asked("get", "/explain/endpoint_9", status=404)
    assert answer["field"] == "endpoint_id"
    assert "has not asked" in answer["error"]
