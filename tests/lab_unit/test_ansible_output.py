from __future__ import annotations

from lab.ansible_output import Failures, heading, recap

RUN = """\
PLAY [Routers] *****************************************************************

TASK [common : User] ***********************************************************
ok: [router_1]
fatal: [router_2]: FAILED! => {
    "msg": "no such user"
}
ok: [router_3]

TASK [common : Other] **********************************************************
changed: [router_1]

PLAY RECAP *********************************************************************
router_1                   : ok=2    changed=1    unreachable=0    failed=0    skipped=0
router_2                   : ok=0    changed=0    unreachable=0    failed=1    skipped=0
"""


def failures(text):
    collected = Failures()
    for line in text.splitlines():
        collected.add(line)
    return collected.text()


def test_headings_are_plays_tasks_and_handlers():
    assert heading("PLAY [Routers] *****") == "Routers"
    assert heading("TASK [common : User] ***") == "common : User"
    assert heading("RUNNING HANDLER [common : Restart] ***") == "common : Restart"
    assert heading("PLAY RECAP ***") == ""
    assert heading("ok: [router_1]") == ""


def test_recap_is_shortened():
    assert recap(RUN.splitlines()[-2]) == "router_1: ok=2 changed=1 unreachable=0 failed=0"
    assert recap("ok: [router_1]") == ""


def test_a_failure_is_shown_whole_with_its_task_and_nothing_else():
    assert failures(RUN).splitlines() == [
        "in common : User:",
        "fatal: [router_2]: FAILED! => {",
        '    "msg": "no such user"',
        "}",
    ]


def test_without_a_named_failure_the_end_is_shown():
    lines = [f"line {number}" for number in range(50)]
    assert failures("\n".join(lines)).splitlines() == lines[-20:]
