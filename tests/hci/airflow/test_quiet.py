from __future__ import annotations

import logging

import pytest

from include.hci.airflow.quiet import PROTOCOLS, quiet_protocols


@pytest.fixture(autouse=True)
def as_before():
    root = logging.getLogger()
    before = {name: logging.getLogger(name).level for name in PROTOCOLS}, root.level
    yield
    for name, level in before[0].items():
        logging.getLogger(name).setLevel(level)
    root.setLevel(before[1])


@pytest.mark.parametrize(
    "name", ["pypsrp.wsman", "urllib3.connectionpool", "spnego._negotiate", "psrpcore", "requests"]
)
def test_protocols_are_heard_only_at_the_level_for_debugging(name):
    logging.getLogger().setLevel(logging.INFO)
    quiet_protocols()
    log = logging.getLogger(name)
    assert [log.isEnabledFor(level) for level in (logging.INFO, logging.WARNING, logging.ERROR)] == [False, False, True]
    logging.getLogger().setLevel(logging.DEBUG)
    quiet_protocols()
    assert log.isEnabledFor(logging.DEBUG)


def test_our_own_words_are_heard():
    logging.getLogger().setLevel(logging.INFO)
    quiet_protocols()
    assert logging.getLogger("include.hci.powershell.transport").isEnabledFor(logging.INFO)
