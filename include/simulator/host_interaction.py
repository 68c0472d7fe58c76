"""What a running command may want of its client besides the streams: answers of its host, and its attention."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


class Interactive(Protocol):
    """The host of a client (its PSHost) as a running pipeline sees it."""

    async def ask(self, method: str, *arguments: object) -> object:
        """Call a host method such as ``PromptForChoice`` and return what the client answers."""
        ...

    def tell(self, method: str, *arguments: object) -> None:
        """Call a host method that answers nothing, such as ``WriteLine2``."""
        ...


#: The client's host while a pipeline runs; None where the client has none, which is what scripted clients do.
interactive: ContextVar[Interactive | None] = ContextVar("interactive", default=None)


@dataclass(frozen=True, slots=True)
class ForwardedEvent:
    """An engine event that a session forwards to its client, as ``Register-EngineEvent -Forward`` does (MS-PSRP 2.2.2.12)."""

    identifier: int
    source: str
    sender: object = None
    arguments: tuple[object, ...] = ()
    data: object = None


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A record of another stream that was merged into the output; ``stream`` is ``error``, ``warning`` and so on."""

    stream: str
    value: object
    source: str = ""

    def __str__(self) -> str:
        return str(getattr(self.value, "message", self.value))


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """One parameter of a command; ``type_name`` is the .NET name."""

    name: str
    type_name: str
    aliases: tuple[str, ...] = ()
    is_switch: bool = False


@dataclass(frozen=True, slots=True)
class CommandDescription:
    """A command that a session shows, for clients that import it; ``kind`` is ``Cmdlet`` or ``Function``."""

    name: str
    module: str
    kind: str = "Cmdlet"
    parameters: tuple[ParameterDescription, ...] = ()
    outputs: tuple[str, ...] = ()
