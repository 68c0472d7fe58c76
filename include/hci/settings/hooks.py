"""Commands that tell a monitoring system about maintenance: a name and parameters, never script text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from include.hci.settings.values import ConnectionId, Settings

HookMoment = Literal["run-begins", "node-leaves", "node-returns", "run-ends"]
#: What has been begun with the one is ended with the other, on every way out.
ENDS: Mapping[HookMoment, HookMoment] = {"run-begins": "run-ends", "node-leaves": "node-returns"}
_SECRETS = ("password", "passwd", "pwd", "secret", "token", "credential", "apikey")
PLACEHOLDERS = ("cluster", "node", "run_id", "reason")

_COMMAND = re.compile(r"[A-Za-z]+-[A-Za-z][A-Za-z0-9]*")
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class HookCommand(Settings):
    """One command of a constrained endpoint, given at one moment of a run."""

    when: HookMoment = Field(description="run-begins, node-leaves, node-returns or run-ends.")
    connection: ConnectionId = Field(
        description='Airflow connection (type "psrp") of the endpoint that has the command.'
    )
    command: str = Field(
        description='Its name, "Set-Maintenance"; functions of a constrained endpoint are commands, too.'
    )
    parameters: Mapping[str, bool | int | str] = Field(
        default={}, description="By name. Texts may hold {cluster}, {node}, {run_id} and {reason}; true is a switch."
    )
    required: bool = Field(
        default=False, description="A failure keeps the run, or the node, from beginning; else it is only said."
    )
    timeout_seconds: int = Field(default=60, ge=1, le=3600, description="How long the command may take.")

    @field_validator("command")
    @classmethod
    def _is_a_command(cls, name: str) -> str:
        if not _COMMAND.fullmatch(name):
            raise ValueError(
                f"{name!r} is not the name of a command: a verb and a noun as in Set-Maintenance. Script text is never sent: put "
                "it into a function of the endpoint."
            )
        return name

    @field_validator("parameters")
    @classmethod
    def _are_parameters(cls, given: Mapping[str, bool | int | str]) -> Mapping[str, bool | int | str]:
        for name, value in given.items():
            if not _PARAMETER.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a parameter.")
            # AuthToken and ClientSecret are what such parameters are mostly called.
            if any(word in name.lower() for word in _SECRETS):
                raise ValueError(
                    f"{name}: secrets never stand in this file. Let the function of the endpoint read its own."
                )
            for found in _PLACEHOLDER.findall(value) if isinstance(value, str) else ():
                if found not in PLACEHOLDERS:
                    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
                    raise ValueError(f"{{{found}}} is not known. A text may hold {known}.")
        return given

    @model_validator(mode="after")
    def _knows_its_node(self) -> Self:
        names = {
            name for value in self.parameters.values() if isinstance(value, str) for name in _PLACEHOLDER.findall(value)
        }
        if "node" in names and self.when in ("run-begins", "run-ends"):
            raise ValueError(f"{{node}} has no meaning at {self.when}: no node is in question then.")
        return self
