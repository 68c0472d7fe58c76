"""What the libraries that log in say, told apart: a password that was refused, and an answer that is none of the login's."""

from __future__ import annotations

import re
from typing import Final

import requests
from pypsrp.exceptions import AuthenticationError
from requests_credssp import HttpCredSSPAuth
from requests_credssp.exceptions import AuthenticationException, NTStatusException
from spnego.exceptions import SpnegoError

#: What MIT Kerberos, and a node over CredSSP (STATUS_NO_LOGON_SERVERS), say when no domain controller can be reached or found:
#: one may well be a virtual machine of the very cluster, and that it moves must not look like a wrong password.
NO_CONTROLLER: Final = re.compile(r"cannot (contact any|find) kdc|no_logon_servers|0xC000005E", re.IGNORECASE)


class Answered(Exception):
    """The node answered the request itself where a step of the login was expected."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(f"HTTP {response.status_code}")
        self.response = response


def token_unless_answered(response: requests.Response, pattern: re.Pattern[str], step: str) -> bytes:
    """Return the token of a login's step; requests-credssp takes every answer but 200 for one, a WSMan fault among them.

    Raises Answered for such an answer.
    """
    if response.status_code != requests.codes.unauthorized:
        raise Answered(response)
    return bytes(HttpCredSSPAuth._get_credssp_token(response, pattern, step))


def is_refusal(error: Exception) -> bool:
    """Return whether ``error`` means that a password was given and not taken."""
    if isinstance(error, AuthenticationError):
        # The other thing that pypsrp says by it is that the node does not offer this kind of login: no password was given.
        return str(error).startswith("Failed to authenticate")
    refused = isinstance(error, AuthenticationException | NTStatusException | SpnegoError)
    return refused and not NO_CONTROLLER.search(str(error))
