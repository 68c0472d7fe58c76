"""The vendor's parameter syntax of every known cmdlet, per version of Windows, read from the generated tables."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: Which documentation set describes which operating system; Azure Stack HCI has no set of its own.
DOCUMENTATION_SETS: Mapping[str, str] = {
    "WS2019": "2019",
    "20H2": "2019",
    "WS2022": "2022",
    "21H2": "2022",
    "22H2": "2022",
    "23H2": "2025",
    "24H2": "2025",
    "WS2025": "2025",
}

#: The name of the only parameter set of a cmdlet that has no named ones.
ALL_SETS = "__AllParameterSets"


@dataclass(frozen=True, slots=True)
class ParameterSyntax:
    """One parameter: ``sets`` and ``required_in`` are names of parameter sets, ``position`` is None when it must be named."""

    name: str
    type: str
    sets: frozenset[str]
    required_in: frozenset[str] = frozenset()
    position: int | None = None
    by_value: bool = False
    by_property_name: bool = False
    aliases: tuple[str, ...] = ()
    accepted_values: tuple[str, ...] = ()

    @property
    def is_switch(self) -> bool:
        """Whether the parameter needs no argument."""
        return self.type == "SwitchParameter"

    @property
    def element_type(self) -> str:
        """The type without its array brackets."""
        return self.type.removesuffix("[]")

    @property
    def is_array(self) -> bool:
        """Whether a single argument is wrapped into a list."""
        return self.type.endswith("[]") or self.type == "StringCollection"


@dataclass(frozen=True, slots=True)
class CmdletSyntax:
    """One cmdlet: ``sets`` are its parameter sets, ``default_set`` the one PowerShell falls back to (or None)."""

    name: str
    module: str
    sets: tuple[str, ...]
    default_set: str | None
    parameters: Mapping[str, ParameterSyntax] = field(repr=False)

    @property
    def takes_pipeline_input(self) -> bool:
        """Whether any parameter binds from the pipeline."""
        return any(parameter.by_value or parameter.by_property_name for parameter in self.parameters.values())


@dataclass(frozen=True, slots=True)
class SyntaxTable:
    """The cmdlets of one documentation set; ``others`` are names that Windows knows and the simulator does not."""

    documentation_set: str
    cmdlets: Mapping[str, CmdletSyntax] = field(repr=False)
    others: frozenset[str] = field(repr=False)

    def find(self, name: str) -> CmdletSyntax | None:
        r"""Return the cmdlet called ``name`` whatever its case; a module prefix (``Storage\Get-Volume``) must fit."""
        module, _, short = name.rpartition("\\")
        cmdlet = self.cmdlets.get(short.lower())
        if cmdlet is None or (module and module.lower() != cmdlet.module.lower()):
            return None
        return cmdlet

    def is_known_elsewhere(self, name: str) -> bool:
        """Whether Windows has a cmdlet of this name that the simulator does not play."""
        return name.rpartition("\\")[2].lower() in self.others


def table_for(os_version: str) -> SyntaxTable:
    """Return the table of ``os_version`` (``22H2``, ``WS2019`` ...); an unknown version raises ValueError."""
    try:
        documentation_set = DOCUMENTATION_SETS[os_version.upper()]
    except KeyError:
        known = ", ".join(DOCUMENTATION_SETS)
        raise ValueError(f"There is no cmdlet syntax for OS version {os_version!r}; known versions: {known}.") from None
    return load_table(documentation_set)


@functools.cache
def load_table(documentation_set: str) -> SyntaxTable:
    """Read the generated table of ``documentation_set`` (``2019``, ``2022`` or ``2025``)."""
    path = Path(__file__).with_name(f"syntax-{documentation_set}.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    cmdlets = {name.lower(): _cmdlet(name, entry) for name, entry in document["cmdlets"].items()}
    return SyntaxTable(documentation_set, cmdlets, frozenset(name.lower() for name in document["others"]))


def _cmdlet(name: str, entry: Mapping[str, object]) -> CmdletSyntax:
    sets = tuple(entry.get("sets", [ALL_SETS]))  # type: ignore[arg-type, var-annotated]
    parameters = {key: _parameter(key, value, sets) for key, value in entry["parameters"].items()}  # type: ignore[attr-defined]
    default = entry.get("default") or (sets[0] if len(sets) == 1 else None)
    return CmdletSyntax(name, str(entry["module"]), sets, default and str(default), parameters)  # type: ignore[arg-type]


def _parameter(name: str, entry: Mapping[str, object], sets: tuple[str, ...]) -> ParameterSyntax:
    def names(key: str, otherwise: tuple[str, ...]) -> frozenset[str]:
        value = entry.get(key)
        if value is None:
            return frozenset(otherwise)
        return frozenset(sets if value == "all" else (sets[index] for index in value))  # type: ignore[attr-defined]

    position = entry.get("position")
    pipeline = str(entry.get("pipeline", ""))
    return ParameterSyntax(
        name=name,
        type=str(entry["type"]),
        sets=names("sets", sets),
        required_in=names("required", ()),
        position=position if isinstance(position, int) else None,
        by_value="value" in pipeline,
        by_property_name="name" in pipeline,
        aliases=tuple(entry.get("aliases", ())),  # type: ignore[arg-type]
        accepted_values=tuple(entry.get("accepted", ())),  # type: ignore[arg-type]
    )
