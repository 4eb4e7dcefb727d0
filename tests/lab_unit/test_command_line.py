from __future__ import annotations

import pytest

from lab.__main__ import parser


@pytest.mark.parametrize(
    "words", [["ip", "-br", "address"], ["sh", "-c", "echo --all"], ["tar", "--help"]]
)
def test_options_of_a_command_in_a_host_are_its_own(words):
    arguments = parser().parse_args(["exec", "router_1", *words])
    assert (arguments.host, arguments.words) == ("router_1", words)
    assert parser().parse_args(["ctl", *words]).words == words


@pytest.mark.parametrize("words", [[], ["nonsense"], ["exec"], ["cut", "router_1"]])
def test_incomplete_commands_are_refused(words, capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words)
    assert ended.value.code == 2
    assert "usage: bin/lab" in capsys.readouterr().err
