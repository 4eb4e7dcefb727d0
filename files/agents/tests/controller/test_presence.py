from __future__ import annotations

from nrs.api.messages import DeviceStatus
from nrs.controller.presence import Presence, Seen

STATUS = DeviceStatus(device_id="e", timestamp=1.0)


def test_a_registration_keeps_what_the_device_last_said() -> None:
    presence = Presence({"e": Seen(5.0)})
    assert presence.reported(STATUS, 10.0)
    presence.registered("e", 20.0)
    assert presence.get("e") == Seen(20.0, STATUS)


def test_what_was_forgotten_is_heard_of_no_more() -> None:
    presence = Presence({})
    presence.registered("e", 1.0)
    taken = presence.take_changes()
    presence.registered("e", 2.0)
    presence.forget("e")
    assert not presence.reported(STATUS, 10.0)
    presence.put_back(taken)
    assert "e" not in presence
    assert presence.take_changes() == {}


def test_what_was_restored_is_known_and_not_a_change() -> None:
    presence = Presence({"e": Seen(5.0)})
    assert "e" in presence
    assert presence.get("e") == Seen(5.0)
    assert presence.take_changes() == {}


def test_changes_are_handed_out_once_and_again_when_put_back() -> None:
    presence = Presence({})
    presence.registered("a", 1.0)
    presence.registered("b", 1.0)
    changes = presence.take_changes()
    assert changes == {"a": Seen(1.0), "b": Seen(1.0)}
    assert presence.take_changes() == {}
    presence.registered("a", 2.0)
    presence.put_back(changes)
    assert presence.take_changes() == {"a": Seen(2.0), "b": Seen(1.0)}
