"""Which Windows the machines of a served cluster run, what upgrades them, and whom its management host lets delegate."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from include.simulator.world.feature_catalogue import as_preview, standard_catalogue
from include.simulator.world.spec import NodeSpec, WorldSpec
from include.simulator.world.versions import os_version


@dataclass(frozen=True, slots=True)
class Windows:
    """A version and, where it is not the usual one, the update build revision within it."""

    version: str
    revision: int | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what describes single machines to the command line."""
    parser.add_argument(
        "--node-os",
        action="append",
        default=[],
        type=_machine,
        metavar="NAME=VERSION[.REVISION]",
        help="what one node runs where it is not what --os says, such as HCI02=21H2 or HCI02=20H2.1500 (behind on "
        "updates); may be given several times",
    )
    parser.add_argument(
        "--formed-with",
        default="",
        metavar="VERSION",
        help="the version at whose functional level, pool version and virtual machine version the cluster still is, its nodes "
        "having been upgraded since (default: what they run)",
    )
    parser.add_argument(
        "--feature-updates",
        choices=("next", "all", "preview"),
        default="next",
        help="next: Windows Update has the feature update to the version after --os (default); all: it also has those beyond, so "
        "that a node that was upgraded is offered one more; preview: the next version is a preview build, which only servers on "
        "a preview channel are offered",
    )
    parser.add_argument(
        "--media",
        action="append",
        default=[],
        type=_media,
        metavar="SHARE=VERSION",
        help="extracted setup media of a version on a share, such as \\\\files\\hci=22H2; may be given several times",
    )
    parser.add_argument(
        "--management-os",
        type=_windows,
        default=None,
        metavar="VERSION[.REVISION]",
        help="what the management host runs (default: what --os says)",
    )
    parser.add_argument(
        "--management-credssp",
        choices=("on", "off"),
        default="off",
        help="on: the management host takes delegated credentials, so that who logs in to it by CredSSP passes its "
        "own on to the servers (default off, as on a new Windows)",
    )


def furnished(spec: WorldSpec, options: argparse.Namespace) -> WorldSpec:
    """Return ``spec`` with its machines as ``options`` describe them; ValueError for a node or version that is not there."""
    asked: dict[str, Windows] = {name.lower(): windows for name, windows in options.node_os}
    unknown = set(asked) - {node.name.lower() for node in spec.nodes}
    if unknown:
        names = ", ".join(node.name for node in spec.nodes)
        raise ValueError(f"--node-os names {sorted(unknown)[0].upper()}, which is no node; there are {names}.")
    nodes = tuple(_node(node, asked.get(node.name.lower())) for node in spec.nodes)
    spec = replace(
        spec,
        nodes=nodes,
        management_credssp=options.management_credssp == "on",
        formed_with=os_version(options.formed_with).key if options.formed_with else "",
        media=tuple(options.media),
    )
    if options.feature_updates == "all":
        spec = replace(spec, updates=standard_catalogue(spec.os, later=True))
    elif options.feature_updates == "preview":
        spec = replace(spec, updates=as_preview(spec.updates))
    management: Windows | None = options.management_os
    if management is None:
        return spec
    software = replace(spec.host_software, ubr=management.revision)
    return replace(spec, management_os=os_version(management.version).key, host_software=software)


def _node(node: NodeSpec, windows: Windows | None) -> NodeSpec:
    if windows is None:
        return node
    software = replace(node.software, ubr=windows.revision)
    return replace(node, os=os_version(windows.version).key, software=software)


def _windows(text: str) -> Windows:
    version, dot, revision = text.partition(".")
    if not version or (dot and not revision.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not VERSION or VERSION.REVISION, such as 20H2.1737")
    return Windows(version, int(revision) if dot else None)


def _media(text: str) -> tuple[str, str]:
    path, separator, version = text.rpartition("=")
    if not separator or not path.startswith("\\\\") or not version:
        raise argparse.ArgumentTypeError(f"{text!r} is not \\\\server\\share=VERSION")
    return path, version


def _machine(text: str) -> tuple[str, Windows]:
    name, separator, windows = text.partition("=")
    if not name or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VERSION[.REVISION]")
    return name, _windows(windows)
