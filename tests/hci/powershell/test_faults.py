from __future__ import annotations

import socket
import ssl
from xml.etree.ElementTree import ParseError

import pytest
import requests
import urllib3.exceptions
from hypothesis import given
from hypothesis import strategies as st
from pypsrp.exceptions import (
    AuthenticationError,
    InvalidPSRPOperation,
    SerializationError,
    WinRMError,
    WinRMTransportError,
    WSManFaultError,
)
from requests_credssp.exceptions import AuthenticationException
from spnego.exceptions import BadMechanismError, SpnegoError

from include.hci.powershell import catalogue as known_errors
from include.hci.powershell import errors
from include.hci.powershell.faults import Garbled, Phase, PipelineStopped, decoding, judge
from include.hci.powershell.logins import LoginHeld
from include.hci.powershell.roots import describe_break, is_silence, is_untrusted, never_sent
from include.hci.powershell.transport import LinkBroken, TimeIsUp

OPENING, ORDERING, RUNNING = Phase.OPENING, Phase.ORDERING, Phase.RUNNING
LOST = LinkBroken("reset", reached=True)
UNSENT = LinkBroken("refused", reached=False)
NO_KDC = "Minor (2529639068): Cannot contact any KDC for realm 'CORP.EXAMPLE'"
SILENT = LinkBroken("no answer within 5 s", reached=True, silent=True)


def fault(code: int) -> WSManFaultError:
    return WSManFaultError(code, "HCI01", "it says why", None, None, None)


AGAIN, NOT_AGAIN = True, False

#: Denied, no such session or configuration, limits (wsmerror.h): nothing was begun.
NOT_BEGUN = frozenset(
    {5, 87, 0x80070005, 0x80070057, 0x80338000, 0x80338001, 0x80338002, 0x8033803B, 0x8033803F, 0x8033805B, 0x803381AB}
    | {*range(0x803381A5, 0x803381A9), 0x803381AC, *range(0x803381E4, 0x803381EB)}
)


@pytest.mark.parametrize(
    ("error", "phase", "change", "kind", "again"),
    [
        # Nothing was sent yet: whatever it is, the command did not run.
        (UNSENT, OPENING, False, errors.NodeUnreachable, NOT_AGAIN),
        (UNSENT, OPENING, True, errors.NodeUnreachable, NOT_AGAIN),
        (LOST, OPENING, False, errors.NodeUnreachable, AGAIN),
        (LOST, OPENING, True, errors.NodeUnreachable, AGAIN),
        (SILENT, OPENING, True, errors.NodeUnreachable, NOT_AGAIN),
        (UNSENT, ORDERING, True, errors.NodeUnreachable, NOT_AGAIN),
        (TimeIsUp(silent=True), OPENING, True, errors.DeadlineExceeded, NOT_AGAIN),
        # The command may have arrived.
        (LOST, ORDERING, False, errors.ConnectionLost, AGAIN),
        (LOST, ORDERING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (LOST, RUNNING, False, errors.ConnectionLost, AGAIN),
        (LOST, RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (UNSENT, RUNNING, False, errors.ConnectionLost, AGAIN),
        (UNSENT, RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (SILENT, RUNNING, False, errors.ConnectionLost, NOT_AGAIN),
        (SILENT, RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (TimeIsUp(silent=False), RUNNING, False, errors.DeadlineExceeded, NOT_AGAIN),
        (TimeIsUp(silent=False), RUNNING, True, errors.ChangeDeadlineExceeded, NOT_AGAIN),
        (TimeIsUp(silent=True), ORDERING, True, errors.ChangeDeadlineExceeded, NOT_AGAIN),
        # The session is gone: turned down before it ran, or ended while it ran.
        (fault(2150858843), ORDERING, False, errors.ConnectionLost, AGAIN),
        (fault(2150858843), ORDERING, True, errors.ConnectionLost, AGAIN),
        (fault(2150859241), ORDERING, True, errors.ConnectionLost, AGAIN),
        (fault(995), ORDERING, False, errors.ConnectionLost, AGAIN),
        (fault(995), ORDERING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (fault(995), RUNNING, False, errors.ConnectionLost, AGAIN),
        (fault(995), RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (fault(2150858843), RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (fault(2150858793), ORDERING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (PipelineStopped(), RUNNING, False, errors.ConnectionLost, AGAIN),
        (PipelineStopped(), RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        # The endpoint says no.
        (fault(5), OPENING, False, errors.EndpointRefused, NOT_AGAIN),
        (fault(2150858811), OPENING, False, errors.EndpointRefused, NOT_AGAIN),
        (fault(2150859173), OPENING, True, errors.EndpointRefused, NOT_AGAIN),
        (fault(2150859174), ORDERING, True, errors.EndpointRefused, NOT_AGAIN),
        (InvalidPSRPOperation("broken"), OPENING, False, errors.EndpointRefused, NOT_AGAIN),
        (WinRMTransportError("http", 404, ""), OPENING, False, errors.EndpointRefused, NOT_AGAIN),
        (WinRMTransportError("http", 503, ""), OPENING, False, errors.NodeUnreachable, NOT_AGAIN),
        (WinRMTransportError("http", 500, ""), RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        # What is no plain refusal, a host process that gave no proper answer, leaves open whether the command ran.
        (fault(0x80338104), ORDERING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (fault(0x80338104), ORDERING, False, errors.ConnectionLost, AGAIN),
        (fault(1115), ORDERING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (fault(0x80070005), ORDERING, True, errors.EndpointRefused, NOT_AGAIN),
        (fault(0x803381E8), ORDERING, True, errors.EndpointRefused, NOT_AGAIN),
        (fault(0x80338104), OPENING, True, errors.EndpointRefused, NOT_AGAIN),
        # The login.
        (AuthenticationError("no"), OPENING, False, errors.AuthenticationRefused, NOT_AGAIN),
        (AuthenticationException("no"), OPENING, False, errors.AuthenticationRefused, NOT_AGAIN),
        (SpnegoError(1, context_msg="no"), OPENING, False, errors.AuthenticationRefused, NOT_AGAIN),
        (BadMechanismError(context_msg="no kerberos here"), OPENING, False, errors.AuthenticationRefused, NOT_AGAIN),
        (ImportError("requests-credssp is not installed"), OPENING, False, errors.AuthenticationRefused, NOT_AGAIN),
        (LinkBroken("bad", reached=False, untrusted=True), OPENING, False, errors.CertificateRefused, NOT_AGAIN),
        (LoginHeld("refused 3 times"), OPENING, True, errors.AuthenticationRefused, NOT_AGAIN),
        (LoginHeld("refused 3 times"), ORDERING, True, errors.AuthenticationRefused, NOT_AGAIN),
        (LoginHeld("refused 3 times"), RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        # What lets nobody in any more while a change runs says nothing about the change.
        (AuthenticationError("no"), RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (AuthenticationError("no"), RUNNING, False, errors.AuthenticationRefused, NOT_AGAIN),
        (AuthenticationError("no"), ORDERING, True, errors.AuthenticationRefused, NOT_AGAIN),
        (LinkBroken("bad", reached=False, untrusted=True), RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (WinRMTransportError("http", 503, ""), ORDERING, True, errors.NodeUnreachable, NOT_AGAIN),
        (WinRMTransportError("http", 503, ""), RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (WinRMTransportError("http", 503, ""), RUNNING, False, errors.NodeUnreachable, NOT_AGAIN),
        # The domain's controller does not answer, which is no answer about the login.
        (SpnegoError(1, context_msg=NO_KDC), OPENING, True, errors.NodeUnreachable, NOT_AGAIN),
        (SpnegoError(1, context_msg=NO_KDC), RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        # Gibberish.
        (Garbled("x"), RUNNING, False, errors.AnswerNotUnderstood, NOT_AGAIN),
        (Garbled("x"), RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (errors.AnswerNotUnderstood("an odd record"), RUNNING, True, errors.OutcomeUnknown, NOT_AGAIN),
        (WinRMError("related id"), OPENING, True, errors.AnswerNotUnderstood, NOT_AGAIN),
    ],
)  # fmt: skip
def test_every_trouble_has_its_name(
    error: Exception, phase: Phase, change: bool, kind: type[errors.RemotingError], again: bool
) -> None:
    verdict = judge(error, phase, node="HCI01", command="Get-Cluster", change=change, given=5)
    assert verdict is not None
    assert type(verdict.error) is kind
    assert verdict.again is again
    assert verdict.error.node == "HCI01"


def test_a_session_that_is_still_good_is_kept_and_a_silent_node_is_not_bothered() -> None:
    def of(error: Exception) -> tuple[bool, bool]:
        verdict = judge(error, RUNNING, node="", command="", change=False, given=5)
        assert verdict is not None
        return verdict.keep, verdict.silent

    assert of(TimeIsUp(silent=False)) == (True, False)
    assert of(TimeIsUp(silent=True)) == (False, True)
    assert of(SILENT) == (False, True)
    assert of(LOST) == (False, False)


@pytest.mark.parametrize("error", [AuthenticationError("no"), LinkBroken("bad", reached=False, untrusted=True)])
@pytest.mark.parametrize("change", [True, False])
@pytest.mark.parametrize("phase", Phase)
def test_a_node_that_lets_nobody_in_is_asked_for_nothing_more(error: Exception, change: bool, phase: Phase) -> None:
    """Taking leave would be one more login with a password that may be wrong."""
    verdict = judge(error, phase, node="", command="", change=change, given=5)
    assert verdict is not None
    assert verdict.silent


TROUBLE = st.one_of(
    st.builds(fault, st.integers(0, 2**32 - 1) | st.sampled_from([5, 87, 995, 1115, 0x80070005, *known_errors.CODES])),
    st.builds(lambda code: WinRMTransportError("http", code, ""), st.integers(400, 599)),
    st.builds(LinkBroken, st.text(), reached=st.booleans(), silent=st.booleans(), untrusted=st.booleans()),
    st.builds(TimeIsUp, silent=st.booleans()),
    st.sampled_from([AuthenticationError("no"), Garbled("x"), WinRMError("x"), PipelineStopped(), OSError("x")]),
)


@given(TROUBLE, st.sampled_from(Phase))
def test_a_change_that_may_have_run_is_unknown_and_never_given_again(error: Exception, phase: Phase) -> None:
    verdict = judge(error, phase, node="HCI01", command="Suspend-ClusterNode", change=True, given=5)
    assert verdict is not None
    unknown = isinstance(verdict.error, errors.OutcomeUnknown)
    assert not (unknown and (verdict.again or verdict.error.retry_safe))
    if phase is RUNNING:
        assert unknown
    if phase is OPENING:
        assert not unknown
    if phase is ORDERING and isinstance(error, WSManFaultError) and not unknown:
        assert error.code in NOT_BEGUN
    if phase is ORDERING and isinstance(error, LinkBroken) and not unknown:
        assert not error.reached or error.untrusted


def test_a_quota_says_which_one_and_that_it_may_pass() -> None:
    verdict = judge(fault(2150859173), OPENING, node="HCI01", command="Get-Cluster", change=False, given=5)
    assert verdict is not None
    assert verdict.error.retry_safe
    assert "MaxShellsPerUser" in verdict.error.next_action
    assert "0x803381A5" in str(verdict.error)


@pytest.mark.parametrize(
    "error", [RuntimeError("mine"), KeyError("mine"), errors.command_failed([]), errors.AnswerNotUnderstood("odd")]
)
def test_what_is_not_remotings_business_passes(error: Exception) -> None:
    assert judge(error, RUNNING, node="", command="", change=False, given=5) is None


@pytest.mark.parametrize(
    "error", [KeyError("5"), SerializationError("x"), ParseError("x"), ValueError("x"), AttributeError("x")]
)
def test_decoding_turns_what_pypsrp_trips_over_into_one_error(error: Exception) -> None:
    with pytest.raises(Garbled, match=type(error).__name__), decoding():
        raise error


def test_decoding_lets_broken_links_pass() -> None:
    with pytest.raises(LinkBroken), decoding():
        raise LOST


def refused() -> requests.ConnectionError:
    pool = urllib3.HTTPConnectionPool("hci01")
    reason = urllib3.exceptions.NewConnectionError(pool._new_conn(), "Failed to establish a new connection: refused")
    reason.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/wsman", reason))


def unresolved() -> requests.ConnectionError:
    pool = urllib3.HTTPConnectionPool("hci01")
    cause = socket.gaierror(-2, "Name or service not known")
    reason = urllib3.exceptions.NameResolutionError("hci01", pool._new_conn(), cause)
    reason.__cause__ = cause
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/wsman", reason))


def was_reset() -> requests.ConnectionError:
    cause = ConnectionResetError(104, "Connection reset by peer")
    return requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", cause))


def hung_up() -> requests.ConnectionError:
    return requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted."))


def untrusted() -> requests.exceptions.SSLError:
    cause = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    cause.verify_message = "unable to get local issuer certificate"
    return requests.exceptions.SSLError(urllib3.exceptions.SSLError(cause))


def no_tls() -> requests.exceptions.SSLError:
    cause = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    return requests.exceptions.SSLError(urllib3.exceptions.SSLError(cause))


def half_read() -> requests.ConnectionError:
    pool = urllib3.HTTPConnectionPool("hci01")
    return requests.ConnectionError(urllib3.exceptions.ReadTimeoutError(pool, "", "Read timed out."))


def behind_a_proxy(cause: OSError) -> requests.exceptions.ProxyError:
    pool = urllib3.HTTPConnectionPool("hci01")
    reason = urllib3.exceptions.ProxyError("Unable to connect to proxy", cause)
    return requests.exceptions.ProxyError(urllib3.exceptions.MaxRetryError(pool, "/wsman", reason))


def break_off() -> None:
    raise was_reset()


def test_what_was_handled_before_is_no_cause_of_what_comes_after() -> None:
    """Python hangs what is being handled below whatever is raised meanwhile."""
    try:
        raise refused()
    except requests.ConnectionError as error:
        earlier = error
        with pytest.raises(requests.ConnectionError) as caught:
            break_off()
    assert never_sent(caught.value)
    assert not never_sent(caught.value, earlier)
    assert describe_break(caught.value, earlier) == "Connection reset by peer"


@pytest.mark.parametrize(
    ("error", "text", "unsent", "silent", "distrusted"),
    [
        (refused(), "Connection refused", True, False, False),
        (unresolved(), "Name or service not known", True, False, False),
        (was_reset(), "Connection reset by peer", False, False, False),
        (hung_up(), "Connection aborted", False, False, False),
        (untrusted(), "certificate not accepted: unable to get local issuer certificate", True, False, True),
        (no_tls(), "TLS failed", False, False, False),
        (half_read(), "ConnectionError", False, True, False),
        (
            behind_a_proxy(OSError("Tunnel connection failed: 407 Proxy Authentication Required")),
            "the proxy let nothing through: Tunnel connection failed: 407 Proxy Authentication Required",
            True,
            False,
            False,
        ),
        (
            behind_a_proxy(ConnectionRefusedError(111, "Connection refused")),
            "the proxy let nothing through: Connection refused",
            True,
            False,
            False,
        ),
        (requests.ReadTimeout("x"), "ReadTimeout", False, True, False),
        (requests.ConnectTimeout("x"), "ConnectTimeout", True, True, False),
    ],
)
def test_nested_network_errors_are_told_in_a_few_words(
    error: Exception, text: str, unsent: bool, silent: bool, distrusted: bool
) -> None:
    assert describe_break(error).startswith(text)
    assert (never_sent(error), is_silence(error), is_untrusted(error)) == (unsent, silent, distrusted)
