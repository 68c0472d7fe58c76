from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from include.hci.airflow import connections
from include.hci.airflow.connections import (
    ConnectionUnusable,
    load,
    load_async,
    load_management,
    load_management_async,
    node_settings,
)
from include.hci.settings import ClusterSettings, NodeSettings


def connection(**changes):
    values = {
        "conn_type": "psrp",
        "host": None,
        "login": "ops",
        "password": "hunter22",
        "port": None,
        "extra_dejson": {},
    }
    return SimpleNamespace(**(values | changes))


def node(**changes):
    return NodeSettings(**({"name": "HCI01", "connection": "hci"} | changes))


def test_https_with_a_checked_certificate_is_what_a_connection_gets():
    settings = node_settings(node(), connection())
    assert (settings.host, settings.port, settings.ssl, settings.cert_validation) == ("HCI01", 5986, True, True)


@pytest.mark.parametrize(
    ("of_node", "of_connection", "host", "port"),
    [
        ({}, {"host": "hci01.example.com", "port": 6000}, "hci01.example.com", 6000),
        ({"host": "192.0.2.1", "port": 7000}, {"host": "other", "port": 6000}, "192.0.2.1", 7000),
        ({"host": "192.0.2.1"}, {"port": 6000}, "192.0.2.1", 6000),
    ],
)
def test_the_nodes_own_address_wins(of_node, of_connection, host, port):
    settings = node_settings(node(**of_node), connection(**of_connection))
    assert (settings.host, settings.port) == (host, port)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"conn_type": "winrm"}, "'winrm'"),
        ({"extra_dejson": {"encrypt": "always"}}, "encrypt"),
        ({"extra_dejson": {"ssl": False, "auth": "basic"}}, "in the clear"),
    ],
)
def test_an_unusable_connection_is_named_without_its_secret(changes, says):
    with pytest.raises(ConnectionUnusable, match="connection hci of node HCI01") as error:
        node_settings(node(), connection(**changes))
    assert says in str(error.value)
    assert "hunter22" not in str(error.value)


CLUSTER = ClusterSettings(name="c", nodes=(node(host="a"), node(name="HCI02", host="b")))


def test_every_secret_is_masked_before_anything_is_sent(monkeypatch):
    masked = []
    monkeypatch.setattr(connections.BaseHook, "get_connection", lambda conn_id: connection())
    monkeypatch.setattr(connections, "mask_secret", masked.append)
    assert set(load(CLUSTER)) == {"HCI01", "HCI02"}
    assert "hunter22" in masked


async def test_a_trigger_looks_a_shared_connection_up_once_and_masks_it(monkeypatch):
    asked, masked = [], []

    async def find(conn_id):
        asked.append(conn_id)
        return connection()

    async def mask(secret):
        masked.append(secret)

    monkeypatch.setattr(connections.BaseHook, "aget_connection", find)
    monkeypatch.setattr(connections, "amask_secret", mask)
    found = await load_async(CLUSTER)
    assert {name: settings.host for name, settings in found.items()} == {"HCI01": "a", "HCI02": "b"}
    assert asked == ["hci"]
    assert "hunter22" in masked


def managed(**changes):
    return ClusterSettings(
        name="c", nodes=CLUSTER.nodes, management_host=node(name="management host", connection="mgmt", **changes)
    )


@pytest.mark.parametrize(
    ("extra", "passes"),
    [
        ({"auth": "credssp"}, True),
        ({"auth": "kerberos", "negotiate_delegate": True}, True),
        ({"auth": "basic"}, True),
        ({"auth": "ntlm"}, False),
        ({}, False),
    ],
)
async def test_a_management_host_tells_whether_it_passes_credentials_on(monkeypatch, extra, passes):
    async def find(conn_id):
        return connection(host="mgmt01", extra_dejson=extra)

    async def mask(secret):
        masked.append(secret)

    masked: list[str] = []
    monkeypatch.setattr(
        connections.BaseHook, "get_connection", lambda conn_id: connection(host="m", extra_dejson=extra)
    )
    monkeypatch.setattr(connections.BaseHook, "aget_connection", find)
    monkeypatch.setattr(connections, "mask_secret", masked.append)
    monkeypatch.setattr(connections, "amask_secret", mask)
    one, other = load_management(managed()), await load_management_async(managed(host="192.0.2.9"))
    assert (one.host, one.passes_credentials) == ("m", passes)
    assert (other.host, other.passes_credentials) == ("192.0.2.9", passes)
    assert masked.count("hunter22") == 2


async def test_a_management_host_that_cannot_be_used_is_a_reason_and_no_end(monkeypatch):
    async def find(conn_id):
        return connection(conn_type="winrm")

    def missing(conn_id):
        raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined")

    monkeypatch.setattr(connections.BaseHook, "get_connection", missing)
    monkeypatch.setattr(connections.BaseHook, "aget_connection", find)
    assert "`mgmt` isn't defined" in load_management(managed())
    assert "is of type 'winrm'" in await load_management_async(managed())
    assert load_management(CLUSTER) is await load_management_async(CLUSTER) is None


# --- hooks ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def monitored(monkeypatch):
    known = {
        "monitoring": connection(host="mon01", extra_dejson={"configuration_name": "Monitoring"}),
        "nameless": connection(),
        "web": connection(conn_type="http", host="mon02"),
        "wrong": connection(host="mon03", extra_dejson={"encrypt": "always"}),
    }
    masked: list[str] = []

    def find(name):
        if name not in known:
            raise AirflowNotFoundException(f"The conn_id `{name}` isn't defined")
        return known[name]

    async def find_async(name):
        return find(name)

    async def mask(secret):
        masked.append(secret)

    monkeypatch.setattr(connections.BaseHook, "get_connection", find)
    monkeypatch.setattr(connections.BaseHook, "aget_connection", find_async)
    monkeypatch.setattr(connections, "mask_secret", masked.append)
    monkeypatch.setattr(connections, "amask_secret", mask)
    return masked


NAMES = ("monitoring", "nameless", "web", "wrong", "absent", "monitoring")


def check_endpoints(found, masked):
    assert list(found) == list(dict.fromkeys(NAMES))
    assert (found["monitoring"].host, found["monitoring"].configuration_name) == ("mon01", "Monitoring")
    assert "hunter22" in masked
    said = {"nameless": "names no host", "web": "'http'", "wrong": "encrypt", "absent": "isn't defined"}
    assert all(text in found[name] for name, text in said.items()), found


def test_a_hooks_connection_that_cannot_be_used_keeps_no_step_from_running(monitored):
    check_endpoints(connections.load_endpoints(NAMES), monitored)


async def test_a_trigger_reads_the_connections_of_hooks_in_the_same_way(monitored):
    check_endpoints(await connections.load_endpoints_async(NAMES), monitored)
