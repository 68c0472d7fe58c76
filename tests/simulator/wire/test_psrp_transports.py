"""Unmodified pypsrp over every log-in: values, secrets and large output."""

from __future__ import annotations

import warnings

import pytest
from pypsrp.complex_objects import ObjectMeta

from include.simulator.wire import EndpointOptions
from tests.simulator.wire.conftest import TRANSPORTS, OpenPool, invoke
from tests.simulator.wire.lab import NODE_STATE, VALUES, Lab


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_values_arrive(open_pool: OpenPool, transport: str) -> None:
    with open_pool(transport=transport) as pool:
        assert invoke(pool, "Get-Values").output == [expected for _, expected in VALUES]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_session_knows_the_log_in(open_pool: OpenPool, transport: str) -> None:
    scheme = {"basic": "Basic", "credssp": "CredSSP"}.get(transport.split()[1], "Negotiate")
    with open_pool(transport=transport) as pool:
        text = invoke(pool, "Get-Session").output[0]
    assert text == rf"CONTOSO\svc {scheme} {scheme == 'CredSSP'} Microsoft.PowerShell"


@pytest.mark.parametrize("transport", ["http basic", "http ntlm", "http credssp", "https negotiate"])
def test_secrets_travel_both_ways(open_pool: OpenPool, transport: str) -> None:
    with open_pool(transport=transport) as pool:
        pool.exchange_keys()
        secret = pool.serialize("geheim ü", ObjectMeta("SS"))
        assert invoke(pool, "Get-Echo", Password=secret).output == ["geheim ü"]
        assert invoke(pool, "Get-Secret").output == ["a secret é"]


@pytest.mark.parametrize("transport", ["http basic", "http ntlm", "http credssp", "https basic"])
def test_large_output_arrives_in_fragments(open_pool: OpenPool, transport: str) -> None:
    with open_pool(transport=transport) as pool:
        assert invoke(pool, "Get-Big", Size=1_500_000).output == ["x" * 1_500_000]


@pytest.mark.parametrize("transport", ["http ntlm", "http credssp"])
def test_large_arguments_arrive(open_pool: OpenPool, transport: str) -> None:
    with open_pool(transport=transport) as pool:
        assert invoke(pool, "Get-Echo", Text="é" * 200_000).output == ["é" * 200_000]


def test_arguments_reach_the_host_with_their_types(open_pool: OpenPool, lab: Lab) -> None:
    with open_pool() as pool:
        invoke(pool, "Get-Echo", Text="t", Number=5, Flag=True, Switch=None, List=["a", 1], Table={"k": {"n": 1}})
    call = lab.host.calls[-1]
    assert {argument.name: argument.value for argument in call.arguments} == {
        "Text": "t",
        "Number": 5,
        "Flag": True,
        "Switch": None,
        "List": ["a", 1],
        "Table": {"k": {"n": 1}},
    }


def test_objects_have_the_shape_of_windows(open_pool: OpenPool) -> None:
    with open_pool() as pool:
        first, second = invoke(pool, "Get-Node").output
    assert first.types == ["Microsoft.FailoverClusters.PowerShell.ClusterNode", "System.Object"]
    assert (str(first), str(second)) == ("HCI01", "HCI02")
    state = first.adapted_properties["State"]
    assert (state.types[0], state.property_sets, str(state)) == (NODE_STATE, [0], "Up")
    assert first.adapted_properties["NodeWeight"] == 1
    assert first.extended_properties == {"PSComputerName": "HCI01"}
    assert first.adapted_properties["Cluster"] == "C1", "remoting writes objects inside objects as text"


def test_clients_that_cannot_trust_the_certificate_are_refused(open_pool: OpenPool) -> None:
    with (
        pytest.raises(Exception, match="certificate verify failed"),
        open_pool(transport="https basic", cert_validation=True),
    ):
        pytest.fail("the certificate was trusted")


def test_clients_may_look_away_from_the_certificate(open_pool: OpenPool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_pool(transport="https negotiate", cert_validation=False) as pool:
            assert invoke(pool, "Get-Note").output == [None]


def test_the_session_shows_the_build_of_the_machine(lab: Lab, open_pool: OpenPool) -> None:
    build = ""
    endpoint, _ = lab.machine(EndpointOptions(windows_build=lambda: build))
    for expected in ("20349.2113", "20349.2340"):
        build = expected
        with open_pool(endpoint) as pool:
            table = pool.application_private_data.data["PSVersionTable"]
            assert (table["PSVersion"], table["BuildVersion"]) == (f"5.1.{expected}", f"10.0.{expected}")
            assert table["PSCompatibleVersions"][-1] == f"5.1.{expected}"
    lab.run(endpoint.stop())
