"""What an agent with tunnels knows to be revoked, and keeps."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.agent import revocation_keeper
from nrs.agent.revocation_keeper import RevocationKeeper
from nrs.config.api import Api
from nrs.identity.keys import public_text
from nrs.identity.revocations import Revocations, RevocationsRefused, signed
from nrs.identity.revoked_tunnels import RevokedTunnels

KEY, LATER_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
STOLEN = RevokedTunnels({"endpoint_1": 1})


def listed(number: int, tunnels: RevokedTunnels = STOLEN, key: Ed25519PrivateKey = KEY) -> str:
    return signed(Revocations(number, tunnels=tunnels), key)


class Device:
    """A keeper, and its configuration's files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "state"
        self.state.mkdir(exist_ok=True)
        self.file = directory / "revocations"
        self.now = 5000.0
        self.trust(KEY)
        self.start()

    def trust(self, *keys: Ed25519PrivateKey) -> None:
        text = public_text([key.public_key() for key in keys])
        (self.directory / "signers").write_text(text, encoding="ascii")

    @property
    def api(self) -> Api:
        files = {"signers_file": self.directory / "signers", "revocations_file": self.file}
        return Api.model_validate({name: str(path) for name, path in files.items()})

    def start(self) -> None:
        """A process begins."""
        self.heard: list[RevokedTunnels] = []
        self.keeper = RevocationKeeper(self.state, lambda: self.now)
        self.keeper.configure(self.api)
        self.keeper.follow(self.heard.append)

    @property
    def status(self) -> tuple[object, object]:
        found = self.keeper.status()
        return found["revocations"], found["revocations_age_s"]


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    monkeypatch.chdir(tmp_path)
    return Device(tmp_path)


def test_a_list_is_in_force_at_once_and_after_a_restart(device: Device) -> None:
    assert device.status == (0, None)
    device.keeper.hear(listed(3))
    assert device.heard == [STOLEN]
    assert device.keeper.in_force == STOLEN
    device.keeper.hear(listed(3))
    assert device.heard == [STOLEN], "told once"
    device.start()
    assert device.keeper.in_force == STOLEN
    assert device.status[0] == 3


def test_it_never_goes_back(device: Device) -> None:
    device.keeper.hear(listed(3))
    answer = device.keeper.answer({"text": listed(2, RevokedTunnels())})
    assert answer == {"number": 3, "error": None}, "who tells an older one has yet to hear"
    other = device.keeper.answer({"text": listed(3, RevokedTunnels())})
    assert "another list of the number 3 is in force" in other["error"]
    device.start()
    device.keeper.answer({"text": listed(2, RevokedTunnels())})
    assert device.keeper.in_force == STOLEN


@pytest.mark.parametrize("bad", [listed(4, key=LATER_KEY), "no list", "", "\u00e4"])
def test_a_bad_list_leaves_the_one_that_is_held(device: Device, bad: str) -> None:
    device.keeper.hear(listed(3))
    before = device.heard[:]
    with pytest.raises(RevocationsRefused):
        device.keeper.hear(bad)
    assert device.keeper.answer({"text": bad})["error"]
    assert (device.keeper.in_force, device.heard) == (STOLEN, before)


def test_the_file_that_others_write_is_taken_where_it_is_newer(
    device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    device.file.write_text(listed(2) + "\n")
    device.start()
    assert device.keeper.in_force == STOLEN
    device.keeper.hear(listed(4, RevokedTunnels()))
    device.keeper.configure(device.api)
    assert device.keeper.in_force == RevokedTunnels()
    assert "not taken" not in caplog.text
    device.file.write_text("damaged")
    device.keeper.configure(device.api)
    assert f"{device.file} is not taken: not a list of revocations" in caplog.text
    device.file.write_bytes(b"\xff")
    device.keeper.configure(device.api)
    assert f"{device.file}: is not ASCII text" in caplog.text
    assert device.status[0] == 4


def test_a_damaged_list_stops_nothing(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    device.keeper.hear(listed(3))
    (device.state / "revocations").write_text("damaged")
    device.start()
    assert device.status[0] == 0
    assert [r.levelno for r in caplog.records if "it is put aside" in r.message] == [logging.ERROR]
    assert (device.state / "revocations.damaged").read_text() == "damaged"
    device.keeper.hear(listed(3))
    device.start()
    assert device.keeper.in_force == STOLEN


def test_its_age_is_since_somebody_said_that_it_is_the_latest(device: Device) -> None:
    device.keeper.hear(listed(3))
    device.now += 60
    assert device.status == (3, 60.0)
    device.keeper.hear(None, number=2)
    assert device.status == (3, 60.0), "who has an older one knows nothing of it"
    device.keeper.hear(None, number=3)
    assert device.status == (3, 0.0)
    device.now += 5
    with pytest.raises(RevocationsRefused):
        device.keeper.hear("no list")
    device.keeper.answer({"text": listed(2)})
    assert device.status == (3, 5.0)


def test_a_service_refuses_more_and_never_less_until_the_next_list(device: Device) -> None:
    device.keeper.hear(listed(3), besides=["endpoint_7"])
    device.keeper.hear(None, number=3, besides=["router_9"])
    device.keeper.hear(None, number=3, besides=[])
    both = STOLEN.with_besides(["endpoint_7", "router_9"])
    assert device.heard[-1] == both
    device.start()
    assert device.keeper.in_force == both, "over a restart too"
    device.keeper.hear(listed(4), number=4, besides=["router_9"])
    assert device.keeper.in_force == STOLEN.with_besides(["router_9"])
    device.keeper.hear(listed(5))
    device.start()
    assert device.keeper.in_force == STOLEN


def test_whom_services_refused_before_the_list_in_force_is_forgotten(device: Device) -> None:
    device.keeper.hear(listed(3), besides=["endpoint_7"])
    # As a process leaves it that ends between the two files.
    (device.state / "revocations").write_text(listed(4))
    device.start()
    assert device.keeper.in_force == STOLEN


@pytest.mark.parametrize("besides", ["x", 5, {"a": 1}, [5, None, "a b", "\n", "x" * 65]])
def test_what_a_service_says_of_another_form_refuses_nobody(
    device: Device, besides: object
) -> None:
    device.keeper.hear(listed(3), besides=besides)
    assert device.keeper.in_force == STOLEN


def test_a_service_that_was_taken_over_does_not_fill_the_memory(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation_keeper, "MOST_BESIDES", 3)
    device.keeper.hear(listed(3), besides=["a", "b"])
    with pytest.raises(RevocationsRefused, match="more than 3 devices"):
        device.keeper.hear(None, number=3, besides=["c", "d"])
    device.keeper.hear(listed(4))
    assert device.keeper.in_force == STOLEN


def test_another_signing_key_takes_over_and_the_list_stays(device: Device) -> None:
    device.keeper.hear(listed(3))
    device.trust(LATER_KEY)
    device.keeper.configure(device.api)
    assert device.keeper.in_force == STOLEN
    with pytest.raises(RevocationsRefused):
        device.keeper.hear(listed(4))
    device.keeper.hear(listed(4, key=LATER_KEY))
    assert device.status[0] == 4


def test_without_keys_nothing_is_taken(tmp_path: Path) -> None:
    keeper = RevocationKeeper(tmp_path)
    keeper.configure(Api.model_validate({}))
    assert keeper.answer({"text": listed(3)})["error"].startswith("no api.signers_file")
    assert keeper.status() == {"revocations": None, "revocations_age_s": None}


def test_without_a_state_directory_it_is_kept_in_memory(device: Device) -> None:
    keeper = RevocationKeeper(None, lambda: device.now)
    keeper.configure(device.api)
    keeper.hear(listed(3), besides=["a"])
    assert keeper.in_force == STOLEN.with_besides(["a"])


def test_a_list_that_cannot_be_stored_is_in_force_and_stored_later(
    device: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as full:
        full.setattr("nrs.identity.whole_file.replace", _full)
        device.keeper.hear(listed(3))
    assert device.heard == [STOLEN]
    assert "is in force and cannot be stored" in caplog.text
    device.keeper.hear(None, number=3)
    device.start()
    assert device.keeper.in_force == STOLEN


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_keys_go_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="revocations_file goes with signers_file"):
        Api.model_validate({"revocations_file": str(tmp_path / "revocations")})
