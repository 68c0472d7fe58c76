from __future__ import annotations

import ssl
from typing import Any

import pytest
import urllib3.exceptions
from urllib3.util.retry import Retry

from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.policy import NO_RETRY
from include.hci.powershell.transport import BoundedWSMan
from include.hci.powershell.values import Secret


def retries(**settings: Any) -> Retry:
    wsman = BoundedWSMan(ConnectionSettings(host="hci01", user="u", password=Secret("p"), **settings), NO_RETRY)
    session = wsman.transport._build_session()
    retries = session.get_adapter(wsman.transport.endpoint).max_retries
    assert isinstance(retries, Retry)
    return retries


@pytest.mark.parametrize("ssl_", [True, False])
def test_only_a_connection_that_did_not_come_about_is_tried_again_below_us(ssl_: bool) -> None:
    some = retries(ssl=ssl_, reconnection_retries=3)
    refused = urllib3.exceptions.NewConnectionError(urllib3.HTTPConnectionPool("hci01")._new_conn(), "refused")
    assert some.increment("POST", "/wsman", error=refused).total == 2
    cut_off = urllib3.exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
    reset = urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset"))
    for after_sending in (cut_off, reset):
        with pytest.raises((urllib3.exceptions.MaxRetryError, urllib3.exceptions.ProtocolError)):
            some.increment("POST", "/wsman", error=after_sending)
