from __future__ import annotations

from types import SimpleNamespace

import pytest

from include.hci.airflow import connections
from include.hci.airflow.connections import ConnectionUnusable, load, load_async, node_settings
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
