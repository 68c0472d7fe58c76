"""What one run of a pipeline gave: its output and everything it said beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from include.hci.powershell.errors import AnswerNotUnderstood, command_failed
from include.hci.powershell.psobject import Answer, EnumValue, PSObject
from include.hci.powershell.records import ErrorRecord, Message, ProgressRecord

__all__ = ["Answer", "EnumValue", "ErrorRecord", "Message", "PSObject", "ProgressRecord", "Result"]


@dataclass(frozen=True, slots=True)
class Result:
    """What a pipeline that ran to its end gave.

    ``errors`` are the non-terminating ones: the pipeline went on after them, and its output may be incomplete. ``attempts``
    counts how often a reading command had to be given.
    """

    output: tuple[Answer, ...] = ()
    errors: tuple[ErrorRecord, ...] = ()
    warnings: tuple[Message, ...] = ()
    verbose: tuple[Message, ...] = ()
    debug: tuple[Message, ...] = ()
    information: tuple[Message, ...] = ()
    progress: tuple[ProgressRecord, ...] = ()
    duration_seconds: float = 0.0
    node: str = ""
    command: str = ""
    attempts: int = 1

    def require(self) -> Result:
        """Return this result if it holds no error at all; raises CommandFailed otherwise."""
        if self.errors:
            raise command_failed(self.errors, node=self.node, command=self.command)
        return self

    def objects(self) -> tuple[PSObject, ...]:
        """Return the output as objects; raises AnswerNotUnderstood where one of them is a plain value."""
        return tuple(self._objects())

    def _objects(self) -> Iterator[PSObject]:
        for item in self.output:
            if not isinstance(item, PSObject):
                raise AnswerNotUnderstood(
                    f"{self.command} answered {item!r:.80} where an object belongs",
                    node=self.node,
                    command=self.command,
                )
            yield item

    def one(self) -> PSObject:
        """Return the only object of the output; raises AnswerNotUnderstood where there is none or more than one."""
        found = self.objects()
        if len(found) != 1:
            raise AnswerNotUnderstood(
                f"{self.command} answered {len(found)} objects where one belongs", node=self.node, command=self.command
            )
        return found[0]
