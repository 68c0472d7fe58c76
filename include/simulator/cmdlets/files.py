"""Files and folders through the item and content cmdlets (PowerShell-Docs, Microsoft.PowerShell.Management)."""

from __future__ import annotations

from datetime import UTC

from include.simulator.cmdlets.registry import Call, ask, cmdlet, fail
from include.simulator.objects import SimError, SimObject
from include.simulator.world.files import NoPathError, NotEmptyError, PathExistsError

_FOLDER = ("System.IO.DirectoryInfo", "System.IO.FileSystemInfo", "System.MarshalByRefObject", "System.Object")
_FILE = ("System.IO.FileInfo", *_FOLDER[1:])


@cmdlet("New-Item")
async def new_item(call: Call) -> None:
    """Make folders, or files with -Value in them; what is there already is an error."""
    kind, files = (call.text("ItemType") or "File").lower(), call.world.files
    if kind not in ("directory", "file"):
        raise fail(f"This simulated machine makes no {kind}.", "ItemTypeNotSimulated", "NotImplemented")
    for path in [*call.texts("Path"), *([call.text("Name") or ""] if not call.texts("Path") else [])]:
        try:
            if kind == "directory":
                if not (call.has("Force") and files.is_folder(call.host, path)):
                    files.make_folder(call.host, path)
            else:
                if files.exists(call.host, path) and not call.has("Force"):
                    raise PathExistsError(path)
                files.write(call.host, path, call.text("Value") or "")
        except PathExistsError:
            if kind == "directory":
                text = f"An item with the specified name {path} already exists."
                call.sink.error(_error(call, text, "DirectoryExist", "ResourceExists", path, "IOException"))
            else:
                text = f"The file '{path}' already exists."
                call.sink.error(_error(call, text, "NewItemIOError", "WriteError", path, "IOException"))
        except NoPathError:
            text = f"Could not find a part of the path '{path}'."
            call.sink.error(_error(call, text, "NewItemIOError", "WriteError", path, "DirectoryNotFoundException"))
        else:
            call.sink.output(_item(call, path))


@cmdlet("Set-Content")
async def set_content(call: Call) -> None:
    """Write -Value or the piped lines into files."""
    given = call.parameters.get("Value", call.input)
    lines = [str(each) for each in given] if isinstance(given, list | tuple) else [str(given)]
    text = "\r\n".join(lines) + ("" if call.has("NoNewline") else "\r\n")
    # Windows PowerShell puts a byte order mark in front of UTF-8.
    mark = "\ufeff" if (call.text("Encoding") or "").upper() == "UTF8" else ""
    for path in _paths(call):
        try:
            call.world.files.write(call.host, path, mark + text)
        except NoPathError:
            said = f"Could not find a part of the path '{path}'."
            call.sink.error(
                _error(
                    call,
                    said,
                    "GetContentWriterDirectoryNotFoundError",
                    "ObjectNotFound",
                    path,
                    "DirectoryNotFoundException",
                )
            )


@cmdlet("Get-Content")
async def get_content(call: Call) -> None:
    """Write the lines of files, or with -Raw their whole text."""
    for path in _paths(call):
        try:
            text = call.world.files.read(call.host, path).removeprefix("\ufeff")
        except NoPathError:
            call.sink.error(_no_path(call, path))
            continue
        if call.has("Raw"):
            call.sink.output(text)
        else:
            for line in text.splitlines():
                call.sink.output(line)


@cmdlet("Remove-Item")
async def remove_item(call: Call) -> None:
    """Delete files and folders; a folder that is not empty goes with -Recurse, and nobody can be asked."""
    for path in _paths(call):
        try:
            call.world.files.remove(call.host, path, recurse=call.has("Recurse"))
        except NoPathError:
            call.sink.error(_no_path(call, path))
        except NotEmptyError:
            ask(call)
            call.world.files.remove(call.host, path, recurse=True)


def _paths(call: Call) -> list[str]:
    return [*call.texts("LiteralPath"), *call.texts("Path")]


def _item(call: Call, path: str) -> SimObject:
    shown = path.rstrip("\\")
    above, _, name = shown.rpartition("\\")
    folder = call.world.files.is_folder(call.host, path)
    now = call.world.now.astimezone(UTC)
    properties: dict[str, object] = {
        "Name": name,
        "FullName": shown,
        "Exists": True,
        "CreationTimeUtc": now,
        "LastWriteTimeUtc": now,
    }
    notes: dict[str, object] = {
        "PSPath": f"Microsoft.PowerShell.Core\\FileSystem::{shown}",
        "PSParentPath": f"Microsoft.PowerShell.Core\\FileSystem::{above}",
        "PSChildName": name,
        "PSIsContainer": folder,
    }
    return SimObject(_FOLDER if folder else _FILE, properties, notes, to_string=shown)


def _no_path(call: Call, path: str) -> SimError:
    text = f"Cannot find path '{path}' because it does not exist."
    return _error(call, text, "PathNotFound", "ObjectNotFound", path, "ItemNotFoundException")


def _error(call: Call, text: str, error_id: str, category: str, path: str, reason: str) -> SimError:
    types = {
        "ItemNotFoundException": (
            "System.Management.Automation.ItemNotFoundException",
            "System.Management.Automation.SessionStateException",
            "System.Management.Automation.RuntimeException",
        ),
        "DirectoryNotFoundException": ("System.IO.DirectoryNotFoundException", "System.IO.IOException"),
    }.get(reason, ("System.IO.IOException",))
    verb, _, noun = call.name.partition("-")
    return SimError(
        text,
        f"{error_id},Microsoft.PowerShell.Commands.{verb}{noun}Command",
        category,
        (*types, "System.SystemException", "System.Exception"),
        reason=reason,
        target=path,
        target_type="String",
        activity=call.name,
    )
