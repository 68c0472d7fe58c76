"""Keeps the accounts that libraries give of every request out of the logs, in workers and in the triggerer."""

from __future__ import annotations

import logging

#: What carries a command to a server. What came of it is told by the steps, in the cluster's words.
PROTOCOLS = (
    "httpcore",
    "httpx",
    "krb5",
    "psrpcore",
    "pypsrp",
    "requests",
    "requests_credssp",
    "spnego",
    "urllib3",
    "winrm",
)


def quiet_protocols() -> None:
    """Let the protocol libraries speak only where Airflow's logging level is DEBUG; errors always.

    urllib3 warns of every connection that a restarting server drops, which is no news here.
    """
    level = logging.NOTSET if logging.getLogger().isEnabledFor(logging.DEBUG) else logging.ERROR
    for name in PROTOCOLS:
        logging.getLogger(name).setLevel(level)
