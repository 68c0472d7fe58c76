"""The nodes' connections: Airflow connections of type ``psrp``, read the way the psrp provider reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.log import amask_secret, mask_secret

from include.hci.powershell.connection import ConnectionSettings, secrets_of
from include.hci.settings import ClusterSettings, NodeSettings

#: ``psrp`` is the provider's type; Airflow gives a connection without a type an empty one.
CONNECTION_TYPE = "psrp"


class ConnectionUnusable(ValueError):
    """An Airflow connection cannot be used for a node; the text names both, the reason and what to do."""


def node_settings(node: NodeSettings, connection: Any) -> ConnectionSettings:
    """Return how ``node`` is reached: Airflow's ``connection`` with the node's own host and port put over it.

    Raises ConnectionUnusable.
    """
    if connection.conn_type not in (CONNECTION_TYPE, None, ""):
        raise ConnectionUnusable(
            f"The Airflow connection {node.connection} of node {node.name} is of type {connection.conn_type!r}. "
            f"Make it one of type {CONNECTION_TYPE!r}."
        )
    try:
        extra = connection.extra_dejson or {}
        return ConnectionSettings.from_connection(
            node.host or connection.host or node.name,
            connection.login,
            connection.password,
            node.port or connection.port,
            extra,
        )
    except (ValueError, TypeError) as error:
        raise ConnectionUnusable(
            f"The Airflow connection {node.connection} of node {node.name} cannot be used: {error}"
        ) from None


def load(cluster: ClusterSettings) -> dict[str, ConnectionSettings]:
    """Return how every node of ``cluster`` is reached, from inside a task; every secret is masked in its log."""
    found = {node.name: node_settings(node, BaseHook.get_connection(node.connection)) for node in cluster.nodes}
    for secret in _secrets(found):
        mask_secret(secret)
    return found


async def load_async(cluster: ClusterSettings) -> dict[str, ConnectionSettings]:
    """Return how every node of ``cluster`` is reached, from inside a trigger; every secret is masked in its log."""
    known: dict[str, Any] = {}
    for node in cluster.nodes:
        if node.connection not in known:
            known[node.connection] = await BaseHook.aget_connection(node.connection)
    found = {node.name: node_settings(node, known[node.connection]) for node in cluster.nodes}
    for secret in _secrets(found):
        await amask_secret(secret)
    return found


def load_management(cluster: ClusterSettings) -> ConnectionSettings | str | None:
    """Return how the management host of ``cluster`` is reached, why it cannot be, or None when there is none."""
    host = cluster.management_host
    if host is None:
        return None
    try:
        found = node_settings(host, BaseHook.get_connection(host.connection))
    except (ConnectionUnusable, AirflowException) as error:
        # A run does without it: the nodes can tell most of what it would be asked.
        return str(error)
    for secret in _secrets({host.name: found}):
        mask_secret(secret)
    return found


async def load_management_async(cluster: ClusterSettings) -> ConnectionSettings | str | None:
    """Do what ``load_management`` does from inside a trigger."""
    host = cluster.management_host
    if host is None:
        return None
    try:
        found = node_settings(host, await BaseHook.aget_connection(host.connection))
    except (ConnectionUnusable, AirflowException) as error:
        return str(error)
    for secret in _secrets({host.name: found}):
        await amask_secret(secret)
    return found


def load_endpoints(names: Iterable[str]) -> dict[str, ConnectionSettings | str]:
    """Return how the endpoint behind each Airflow connection of ``names`` is reached, or why it cannot be, from inside a task."""
    found: dict[str, ConnectionSettings | str] = {}
    for name in dict.fromkeys(names):
        try:
            found[name] = endpoint_settings(name, BaseHook.get_connection(name))
        except (ConnectionUnusable, AirflowException) as error:
            # Whether a hook is needed is for the run to say: most of them may fail.
            found[name] = str(error)
    for secret in _secrets({name: one for name, one in found.items() if isinstance(one, ConnectionSettings)}):
        mask_secret(secret)
    return found


async def load_endpoints_async(names: Iterable[str]) -> dict[str, ConnectionSettings | str]:
    """Do what ``load_endpoints`` does from inside a trigger."""
    found: dict[str, ConnectionSettings | str] = {}
    for name in dict.fromkeys(names):
        try:
            found[name] = endpoint_settings(name, await BaseHook.aget_connection(name))
        except (ConnectionUnusable, AirflowException) as error:
            found[name] = str(error)
    for secret in _secrets({name: one for name, one in found.items() if isinstance(one, ConnectionSettings)}):
        await amask_secret(secret)
    return found


def endpoint_settings(name: str, connection: Any) -> ConnectionSettings:
    """Return how the endpoint behind Airflow's ``connection`` called ``name`` is reached; raises ConnectionUnusable."""
    if connection.conn_type not in (CONNECTION_TYPE, None, ""):
        raise ConnectionUnusable(
            f"The Airflow connection {name} of a hook is of type {connection.conn_type!r}. "
            f"Make it one of type {CONNECTION_TYPE!r}."
        )
    if not connection.host:
        raise ConnectionUnusable(f"The Airflow connection {name} of a hook names no host.")
    try:
        extra = connection.extra_dejson or {}
        return ConnectionSettings.from_connection(
            connection.host, connection.login, connection.password, connection.port, extra
        )
    except (ValueError, TypeError) as error:
        raise ConnectionUnusable(f"The Airflow connection {name} of a hook cannot be used: {error}") from None


def _secrets(settings: Mapping[str, ConnectionSettings]) -> set[str]:
    return {secret for one in settings.values() for secret in secrets_of(one)}
