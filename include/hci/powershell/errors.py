"""What can go wrong between this program and a node, as exceptions that say what it means and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from include.hci.powershell.catalogue import KnownError, known_error, plain_code
from include.hci.powershell.records import ErrorRecord


class RemotingError(Exception):
    """Something went wrong between this program and a node.

    ``title`` says in a few words what it was, ``meaning`` what that means, ``next_action`` what to do about it, and
    ``retry_safe`` whether giving the very same command again cannot do harm. ``node`` and ``command`` name where it happened;
    the command is rendered without secrets.
    """

    title: ClassVar[str] = "Remoting failed"
    default_meaning: ClassVar[str] = ""
    default_next_action: ClassVar[str] = ""
    default_retry_safe: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        node: str = "",
        command: str = "",
        meaning: str | None = None,
        next_action: str | None = None,
        retry_safe: bool | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.node = node
        self.command = command
        self.meaning = self.default_meaning if meaning is None else meaning
        self.next_action = self.default_next_action if next_action is None else next_action
        self.retry_safe = self.default_retry_safe if retry_safe is None else retry_safe

    def _arguments(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "command": self.command,
            "meaning": self.meaning,
            "next_action": self.next_action,
            "retry_safe": self.retry_safe,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.detail, self._arguments()))

    def __str__(self) -> str:
        where = f" on {self.node}" if self.node else ""
        text = f"{self.title}{where}: {self.detail}"
        if self.command and self.command not in text:
            text = f"{text} (command: {self.command})"
        sentences = [text if text.endswith((".", "!", "?")) else f"{text}."]
        if self.meaning:
            sentences.append(f"{self.meaning[0].upper()}{self.meaning[1:].rstrip('.')}.")
        if self.next_action:
            sentences.append(self.next_action)
        return " ".join(sentences)


def _rebuild(kind: type[RemotingError], detail: str, arguments: dict[str, Any]) -> RemotingError:
    return kind(detail, **arguments)


class NodeUnreachable(RemotingError):
    """No connection came about: nothing was sent to the node."""

    title = "Node unreachable"
    default_meaning = "no connection came about, so nothing was sent to the node"
    default_next_action = (
        "Check that the node is running, that WinRM listens on that port, and the firewall in between."
    )
    default_retry_safe = True


class CertificateRefused(RemotingError):
    """The node's certificate is not trusted, or does not fit its name."""

    title = "Certificate refused"
    default_meaning = "the node could not prove who it is, so nothing was sent to it"
    default_next_action = (
        "Name the authority that signed the node's WinRM certificate as `ca` in the connection, and the node by a name the"
        " certificate carries."
    )


class AuthenticationRefused(RemotingError):
    """The node did not accept the login."""

    title = "Login refused"
    default_meaning = "the node does not accept this user, password or kind of authentication"
    default_next_action = (
        "Check login, password and `auth` of the connection, and whether the password has expired or the account is locked."
        " Do not retry: wrong passwords may lock the account."
    )


class EndpointRefused(RemotingError):
    """The login is good, but the endpoint takes no session from it: rights, a missing configuration, a quota."""

    title = "Session refused"
    default_meaning = "the node knows the account but does not open a session for it"
    default_next_action = "Check the account's rights on the endpoint and the connection's configuration_name."


class ConnectionLost(RemotingError):
    """The connection broke while the node was only being read."""

    title = "Connection lost"
    default_meaning = "the connection broke while something was being read; nothing was changed"
    default_next_action = "Try again; if it stays so, check whether the node is restarting."
    default_retry_safe = True


class OutcomeUnknown(RemotingError):
    """The connection broke while a command was running that changes something: it may have worked or not."""

    title = "Outcome unknown"
    default_meaning = "the command may or may not have done its work"
    default_next_action = "Read the node's state before giving the command again."


class DeadlineExceeded(RemotingError):
    """The command took longer than it was given."""

    title = "Deadline exceeded"
    default_meaning = "the node did not finish in the time it was given; nothing was changed"
    default_next_action = "Try again; if it stays so, check how busy the node is."
    default_retry_safe = True


class ChangeDeadlineExceeded(DeadlineExceeded, OutcomeUnknown):
    """A command that changes something took longer than it was given: it may have worked or not."""

    title = "Deadline exceeded, outcome unknown"
    default_meaning = "the command may have done its work, a part of it, or nothing"
    default_next_action = "Read the node's state before giving the command again."
    default_retry_safe = False


class AnswerNotUnderstood(RemotingError):
    """The node answered something this program does not understand."""

    title = "Answer not understood"
    default_meaning = "the node's version may differ from those this program knows"
    default_next_action = "Report this together with the node's build."


class CommandFailed(RemotingError):
    """The command ran and failed, or wrote errors; ``records`` are what it said."""

    title = "Command failed"

    def __init__(self, records: Sequence[ErrorRecord], *, node: str = "", command: str = "", **known: Any) -> None:
        self.records = tuple(records)
        self.known: KnownError | None = next(filter(None, map(known_error, self.records)), None)
        if self.known is not None:
            known.setdefault("meaning", self.known.meaning)
            known.setdefault("next_action", self.known.next_action)
            known.setdefault("retry_safe", self.known.retry_safe)
        detail = "; ".join(record.describe() for record in self.records) or "it ended as failed without saying why"
        super().__init__(detail, node=node, command=command, **known)

    @property
    def code(self) -> int | None:
        """The most telling number the errors carry (unsigned), or None."""
        return next((code for record in self.records for code in record.codes()), None)

    def has_code(self, code: int | str) -> bool:
        """Return whether one of the errors carries ``code``, in whatever form either is written."""
        wanted = plain_code(code)
        return any(plain_code(found) == wanted for record in self.records for found in record.codes())

    def has_error_id(self, error_id: str) -> bool:
        """Return whether one of the errors is called ``error_id`` (the part in front of the first comma)."""
        return any(record.error_id.lower() == error_id.lower() for record in self.records)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild_failed, (type(self), self.records, self._arguments()))


def _rebuild_failed(
    kind: type[CommandFailed], records: tuple[ErrorRecord, ...], arguments: dict[str, Any]
) -> CommandFailed:
    return kind(records, **arguments)


class CommandNotAvailable(CommandFailed):
    """The node does not know the command, or the session's role does not show it."""

    title = "Command not available"


def command_failed(records: Sequence[ErrorRecord], *, node: str = "", command: str = "") -> CommandFailed:
    """Return the exception that fits ``records``."""
    missing = any(record.error_id.lower() == "commandnotfoundexception" for record in records)
    return (CommandNotAvailable if missing else CommandFailed)(records, node=node, command=command)
