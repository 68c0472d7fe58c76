"""A Shell that answers from a table, and builders of the objects that Windows would send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from include.hci.cluster.facade import ManagementHost
from include.hci.powershell.command import Command, Pipeline, as_pipeline
from include.hci.powershell.errors import RemotingError
from include.hci.powershell.psobject import EnumValue, PSObject
from include.hci.powershell.result import Result
from include.hci.powershell.shell import OnProgress

Reply = Any


class FakeShell:
    """Answers each pipeline by the reply under its description, or under the name of its last command.

    A reply is a list of objects, an exception to raise, or a function of the pipeline that gives either.
    """

    def __init__(self, replies: Mapping[str, Reply], node: str = "HCI01") -> None:
        self.replies = dict(replies)
        self.node = node
        self.sent: list[Pipeline] = []

    def run(
        self,
        pipeline: Command | Pipeline,
        *,
        timeout: timedelta | None = None,
        on_progress: OnProgress | None = None,
    ) -> Result:
        whole = as_pipeline(pipeline)
        self.sent.append(whole)
        reply = self.replies.get(whole.describe(), self.replies.get(whole.commands[-1].name, []))
        if isinstance(reply, Callable):  # type: ignore[arg-type]
            reply = reply(whole)
        if isinstance(reply, RemotingError):
            raise reply
        if isinstance(reply, Result):
            return reply
        return Result(tuple(reply), node=self.node, command=whole.describe())

    def leave(self, pipeline: Command | Pipeline, session: UUID, *, lasts: timedelta, settle: timedelta) -> None:
        self.run(pipeline)

    def end_session(self, session: UUID) -> None:
        pass

    @property
    def lines(self) -> list[str]:
        return [pipeline.describe() for pipeline in self.sent]


class FakeCluster:
    """A cluster of fake shells; ``any`` is the first node that is not avoided."""

    def __init__(
        self, shells: Mapping[str, FakeShell], name: str = "HCI-CL01", host: ManagementHost | None = None
    ) -> None:
        self.name = name
        self.host = host
        self.shells = dict(shells)
        self.nodes = tuple(shells)

    def on(self, node: str) -> FakeShell:
        return self.shells[node]

    def any(self, avoid: Any = ()) -> FakeShell:
        return next(
            (shell for name, shell in self.shells.items() if name not in avoid), next(iter(self.shells.values()))
        )

    def management(self) -> ManagementHost | None:
        return self.host


def obj(text: str | None = None, types: tuple[str, ...] = (), **properties: Any) -> PSObject:
    return PSObject(types, text, properties)


def enum(number: int | None, name: str | None) -> EnumValue:
    return EnumValue(number, name)


def node_obj(name: str, state: Any = "Up", drain: Any = "NotInitiated", status: Any = 0, **more: Any) -> PSObject:
    return obj(name, Name=name, State=state, DrainStatus=drain, StatusInformation=status, **more)


def group_obj(name: str, owner: str, state: Any = "Online", kind: Any = "VirtualMachine") -> PSObject:
    return obj(name, Name=name, OwnerNode=obj(owner, Name=owner), State=state, GroupType=kind)
