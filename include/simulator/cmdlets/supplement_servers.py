"""Syntax of server cmdlets whose pages the vendor's JSON lacks in one documentation set or in all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SWITCH = {"type": "SwitchParameter"}
_TEXT = {"type": "String"}
_REMOTE: Mapping[str, Any] = {
    "ComputerName": {**_TEXT, "aliases": ["Cn"]},
    "Credential": {"type": "PSCredential"},
    "LogPath": _TEXT,
}
_FEATURES = {"type": "Feature[]", "required": "all", "position": 0, "pipeline": "value"}

#: ServerManager ships with every Windows Server; the 2022 pages describe it, the 2019 set has none (windows-powershell-docs).
#: The preview channel's cmdlets have no page at all (SConfig and Windows Admin Center call them; the latter loads PreviewOptIn).
SERVERS: Mapping[str, Mapping[str, Any]] = {
    "Get-WindowsFeature": {
        "module": "ServerManager",
        "parameters": {
            **_REMOTE,
            "Name": {"type": "String[]", "position": 0, "pipeline": "value"},
            "Vhd": _TEXT,
        },
    },
    "Install-WindowsFeature": {
        "module": "ServerManager",
        "sets": ["ComponentNamesAndRunningComputer", "ComponentNamesAndVhdPath", "ConfigurationFile"],
        "default": "ComponentNamesAndRunningComputer",
        "parameters": {
            **_REMOTE,
            "ConfigurationFilePath": {**_TEXT, "sets": [2], "required": [2]},
            "Confirm": {**_SWITCH, "aliases": ["cf"]},
            "IncludeAllSubFeature": {**_SWITCH, "sets": [0, 1]},
            "IncludeManagementTools": {**_SWITCH, "sets": [0, 1]},
            "Name": {**_FEATURES, "sets": [0, 1], "required": [0, 1]},
            "Restart": {**_SWITCH, "sets": [0, 2]},
            "Source": {"type": "String[]"},
            "Vhd": {**_TEXT, "sets": [1, 2], "required": [1]},
            "WhatIf": {**_SWITCH, "aliases": ["wi"]},
        },
    },
    "Uninstall-WindowsFeature": {
        "module": "ServerManager",
        "sets": ["RunningComputer", "VhdPath"],
        "default": "RunningComputer",
        "parameters": {
            **_REMOTE,
            "Confirm": {**_SWITCH, "aliases": ["cf"]},
            "IncludeManagementTools": _SWITCH,
            "Name": _FEATURES,
            "Remove": _SWITCH,
            "Restart": {**_SWITCH, "sets": [0]},
            "Vhd": {**_TEXT, "sets": [1]},
            "WhatIf": {**_SWITCH, "aliases": ["wi"]},
        },
    },
    "Get-PreviewChannel": {"module": "PreviewOptIn", "parameters": {}},
    "Set-PreviewChannel": {"module": "PreviewOptIn", "parameters": {"Channel": _TEXT, "Ring": _TEXT}},
}
