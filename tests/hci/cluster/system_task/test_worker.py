"""The reviewed pair of files: what the worker may do, and that the definition carries exactly that text."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import get_args

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from include.hci.cluster.system_task import build
from include.hci.cluster.system_task.protocol import Answer, Arguments, Found
from include.hci.cluster.updates import Asks

SCHEMA = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
WORKER = build.WORKER.read_text(encoding="ascii")
SOURCE = WORKER.encode("ascii")
PARSER = Parser(Language(tree_sitter_powershell.language()))
TREE = PARSER.parse(SOURCE).root_node

#: Every command of the text that is not a function of its own. None of them runs text, loads code or reaches out.
COMMANDS = {
    "ConvertFrom-Json",
    "ConvertTo-Json",
    "Get-Content",
    "Join-Path",
    "Move-Item",
    "New-Object",
    "Set-Content",
    "Set-StrictMode",
    "Start-Sleep",
}
FUNCTIONS = {
    "Read-Arguments",
    "Write-Answer",
    "Find-Update",
    "Get-Asking",
    "Get-Published",
    "Show-Update",
    "Invoke-Update",
}
COM_OBJECTS = {"Microsoft.Update.Session", "Microsoft.Update.SystemInfo", "Microsoft.Update.UpdateColl"}
#: What is called on objects: the agent's own methods, and three that only turn values into text or numbers.
METHODS = {
    *{"CreateUpdateSearcher", "CreateUpdateDownloader", "CreateUpdateInstaller", "Search", "Add"},
    *{"Download", "Install", "GetUpdateResult", "GetBaseException", "ToString"},
}
TYPES = {
    *{"string", "int", "bool", "array", "void", "ordered"},
    *{"System.DateTime", "System.Globalization.CultureInfo"},
}


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def text(node: Node) -> str:
    return SOURCE[node.start_byte : node.end_byte].decode("ascii")


def all_of(kind: str, within: Node = TREE) -> list[Node]:
    return [node for node in walk(within) if node.type == kind]


def function(name: str) -> Node:
    return next(node for node in all_of("function_statement") if text(all_of("function_name", node)[0]) == name)


def enclosing(node: Node, kind: str) -> Node | None:
    parent = node.parent
    while parent is not None and parent.type != kind:
        parent = parent.parent
    return parent


# --- the text -------------------------------------------------------------------------------------------------------------


def test_the_worker_is_powershell():
    wrong = [node for node in walk(TREE) if node.is_error or node.is_missing]
    assert [(node.start_point, text(node)) for node in wrong] == []
    assert not TREE.has_error


def test_the_grammar_would_see_a_mistake():
    assert PARSER.parse(SOURCE.replace(b"catch { exit 87 }", b"catch { exit 87", 1)).root_node.has_error


def test_only_known_commands_are_called_and_each_by_its_name():
    names = [text(node) for node in all_of("command_name")]
    assert {text(node) for node in all_of("function_name")} == FUNCTIONS
    assert set(names) == COMMANDS | FUNCTIONS
    # "& $x" and ". $x" are calls of something that is known only when it runs.
    assert all_of("command_invokation_operator") == []
    assert len(names) == len(all_of("command"))


def test_only_the_update_agents_objects_are_made():
    made = [node for node in all_of("command") if text(node).startswith("New-Object")]
    assert {re.fullmatch(r"New-Object -ComObject '([\w.]+)'", text(node))[1] for node in made} == COM_OBJECTS  # type: ignore[index]


def test_only_known_methods_and_types_are_used():
    invoked = all_of("invokation_expression")
    assert {text(all_of("member_name", node)[-1]) for node in invoked} == METHODS
    assert {text(node) for node in all_of("type_spec")} == TYPES


@pytest.mark.parametrize(
    "word",
    [
        *("Invoke-Expression", "iex", "Add-Type", "ScriptBlock", "InvokeScript", "NewScriptBlock", "ExecutionContext"),
        *(
            "DownloadString",
            "DownloadFile",
            "WebClient",
            "Invoke-WebRequest",
            "Invoke-RestMethod",
            "http",
            "Start-Process",
        ),
        *("Import-Module", "Invoke-Command", "Invoke-Item", "Reflection", "Assembly", "AcceptEula", "Remove-", "cmd"),
    ],
)
def test_nothing_is_in_it_that_runs_text_loads_code_or_reaches_out(word):
    assert not re.search(rf"\b{re.escape(word)}", WORKER, re.IGNORECASE)


def test_no_text_is_expanded():
    assert all_of("expandable_string_literal") == []
    assert all_of("expandable_here_string_literal") == []


def test_a_file_that_somebody_holds_is_tried_again_and_ends_nothing():
    # Windows refuses to replace a file that is being read or looked over for viruses at that moment.
    for name in ("Set-Content", "Move-Item"):
        (writer,) = [node for node in all_of("command") if text(all_of("command_name", node)[0]) == name]
        within = enclosing(writer, "try_statement")
        assert within is not None, name
        assert enclosing(within, "for_statement") is not None
        assert enclosing(within, "function_statement") == function("Write-Answer")
        (caught,) = all_of("catch_clause", within)
        assert [text(all_of("command_name", node)[0]) for node in all_of("command", caught)] == ["Start-Sleep"]


def test_only_a_first_and_a_last_word_that_cannot_be_written_end_the_worker():
    written = re.findall(r"^ *(.*Write-Answer -Answer.*)$", WORKER, re.MULTILINE)
    ends = [line for line in written if line.startswith("if (-not (Write-Answer") and line.endswith("{ exit 29 }")]
    goes_on = [line for line in written if line.startswith("[void] (Write-Answer")]
    assert (len(ends), len(goes_on)) == (2, 3)
    assert len(written) == 5


def test_nothing_that_wants_a_person_is_downloaded_or_installed():
    body = text(function("Invoke-Update"))
    assert set(re.findall(r"return '([\w-]*)'", text(function("Get-Asking")))) == set(get_args(Asks))
    for asks in filter(None, get_args(Asks)):
        assert body.index(f"-eq '{asks}') {{ $outcome.hresult = ") < body.index("try {")


# --- what it makes of its arguments ---------------------------------------------------------------------------------------


def test_the_argument_file_is_only_read_where_it_is_checked():
    readers = [node for node in all_of("command") if text(node).startswith("Get-Content")]
    assert [enclosing(node, "function_statement") for node in readers] == [function("Read-Arguments")]
    given = [node for node in all_of("variable") if text(node) == "$given"]
    assert given
    assert {enclosing(node, "function_statement") for node in given} == {function("Read-Arguments")}


def test_every_argument_is_checked_before_anything_uses_it():
    body = function("Read-Arguments")
    checks: dict[str, int] = {}
    for statement in all_of("if_statement", body):
        condition, block = statement.child_by_field_name("condition"), all_of("statement_block", statement)[0]
        assert condition is not None
        assert "throw" in text(block), text(statement)
        for name in re.findall(r"\$given\.(\w+)", text(condition)):
            checks.setdefault(name, statement.start_byte)
    uses = [(match[1], match.start()) for match in re.finditer(r"\$given\.(\w+)", WORKER)]
    assert {name for name, _ in uses} == set(checks)
    assert set(checks) == set(Arguments.model_fields)
    loops = all_of("foreach_statement", body)
    assert [text(node).split(")")[0] for node in loops] == ["foreach ($search in $given.searches"]
    assert [name for name, place in uses if place < checks[name]] == []
    # Each of them is also checked for its type, not only for its value.
    assert {name for name in checks if f"$given.{name} -isnot [" not in WORKER} == set()


def test_what_uses_the_arguments_names_only_what_was_checked():
    used = set(re.findall(r"\$arguments\.(\w+)", WORKER))
    assert used <= set(Arguments.model_fields)
    assert "answer" in used


def test_the_answer_has_the_keys_that_are_expected():
    written = WORKER[WORKER.index("$answer = [ordered]@{") :]
    assert set(re.findall(r"(\w+) = ", written[: written.index("\n}")])) - {"answer"} == set(Answer.model_fields)


def test_an_update_is_shown_with_the_keys_that_are_expected():
    assert set(re.findall(r"(\w+) = ", text(function("Show-Update")))) == set(Found.model_fields)


# --- the definition -------------------------------------------------------------------------------------------------------


def definition() -> ET.Element:
    return ET.fromstring(build.DEFINITION.read_text(encoding="ascii"))


def value(path: str) -> str | None:
    return definition().findtext("/".join(SCHEMA + part for part in path.split("/")))


def test_the_definition_carries_the_workers_text_and_nothing_else():
    assert build.DEFINITION.read_text(encoding="ascii") == build.definition(WORKER)
    options, _, encoded = (value("Actions/Exec/Arguments") or "").rpartition(" ")
    assert options == "-NoLogo -NoProfile -NonInteractive -EncodedCommand"
    assert base64.b64decode(encoded).decode("utf-16-le") == WORKER


def test_one_command_line_can_hold_it():
    # CreateProcess takes 32,767 characters.
    assert len(value("Actions/Exec/Command") or "") + len(value("Actions/Exec/Arguments") or "") < 32_000


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Principals/Principal/UserId", "S-1-5-18"),
        ("Principals/Principal/RunLevel", "HighestAvailable"),
        ("Settings/ExecutionTimeLimit", "PT24H"),
        ("Settings/Hidden", "true"),
        ("Settings/Enabled", "true"),
        ("Settings/AllowStartOnDemand", "true"),
        ("Settings/MultipleInstancesPolicy", "IgnoreNew"),
        ("Settings/StartWhenAvailable", "false"),
        ("Settings/StopIfGoingOnBatteries", "false"),
        ("Settings/DisallowStartIfOnBatteries", "false"),
        ("Actions/Exec/Command", r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"),
        ("Triggers", None),
    ],
)
def test_the_definition_says(path, expected):
    assert value(path) == expected


def test_there_is_one_action_as_the_one_principal():
    root = definition()
    assert root.get("version") == "1.2"
    actions, principals = root.find(SCHEMA + "Actions"), root.find(SCHEMA + "Principals")
    assert actions is not None
    assert principals is not None
    assert [each.tag for each in actions] == [SCHEMA + "Exec"]
    assert [each.get("id") for each in principals] == [actions.get("Context")]
