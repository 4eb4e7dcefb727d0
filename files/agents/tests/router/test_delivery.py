from __future__ import annotations

from nrs.router.delivery import Delivery, Echoes


def test_nothing_is_confirmed_before_an_echo_is_answered() -> None:
    delivery = Delivery()
    assert delivery.confirmed(10, Echoes()) == 0
    assert delivery.confirmed(20, Echoes(asked=1)) == 0


def test_an_answer_confirms_what_was_there_before_its_echo_left() -> None:
    delivery, echoes = Delivery(), Echoes(asked=4, answered=4)
    delivery.confirmed(10, echoes)
    delivery.confirmed(11, echoes)
    echoes = Echoes(5, 4)
    delivery.confirmed(20, echoes)
    assert delivery.confirmed(25, echoes) == 0
    echoes = Echoes(5, 5)
    assert delivery.confirmed(30, echoes) == 11
    echoes = Echoes(6, 5)
    assert delivery.confirmed(40, echoes) == 11
    echoes = Echoes(6, 6)
    assert delivery.confirmed(41, echoes) == 30


def test_a_later_answer_stands_for_those_that_are_missing() -> None:
    delivery, echoes = Delivery(), Echoes()
    for number in range(1, 5):
        delivery.confirmed(10 * number, echoes)
        echoes = Echoes(number)
    echoes = Echoes(4, 3)
    assert delivery.confirmed(50, echoes) == 30


def test_nothing_more_is_confirmed_while_echoes_stay_unanswered() -> None:
    delivery, echoes = Delivery(), Echoes()
    for number in range(1, 1000):
        delivery.confirmed(number, echoes)
        echoes = Echoes(number, min(number, 3))
    assert delivery.confirmed(2000, echoes) == 3
    assert len(delivery._marks) <= 16
    echoes = Echoes(999, 999)
    assert delivery.confirmed(2001, echoes) == 999
