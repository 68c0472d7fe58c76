"""A scheduled task whose PowerShell drives the machine's own Windows Update Agent, as Windows Admin Center's does.

PowerShell itself is not played. The one worker that is, is known by what it does: it reads arguments.json in the folder HciUpdate
below the system root, works as the account of its task, and writes the answer file that the arguments name. This is written from
the format of the two files alone.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from include.simulator.world.agent import AgentError, UpdateAgent
from include.simulator.world.catalogue import UpdateSpec
from include.simulator.world.criteria import INVALID_CRITERIA, InvalidCriteriaError, parse
from include.simulator.world.files import NoPathError
from include.simulator.world.machines import Node
from include.simulator.world.process import Pause, Process, Until
from include.simulator.world.tasks import TaskRun
from include.simulator.world.updates import EULA_DECLINED, FAILED, SUCCEEDED, Operation

if TYPE_CHECKING:
    from include.simulator.world.world import World

FOLDER = "C:\\Windows\\HciUpdate"
REFUSED_ARGUMENTS = 87
#: How long powershell.exe takes to start, and how long its exit takes.
_STARTS, _EXITS = timedelta(seconds=2), timedelta(seconds=1)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ENCODED = re.compile(r"-e(?:ncodedcommand|c)\s+(\S+)", re.IGNORECASE)
#: What a text that is played has to mention.
_MARKS = ("arguments.json", "HciUpdate", "Microsoft.Update.Session")


def install(world: World) -> None:
    """Let tasks on every machine run the worker."""
    world.tasks.handle("powershell.exe", lambda run: _start(world, run), arguments_with="-EncodedCommand")


def _start(world: World, run: TaskRun) -> None:
    worker = Worker(world, run)
    process = Process(world, worker.work())
    run.on_stop = process.stop
    process.start()


class RefusedError(Exception):
    """The worker does not take its arguments."""


@dataclass(slots=True)
class Worker:
    """One run of the worker; ``stop`` of its process leaves what the agent is doing at that moment to the agent."""

    world: World
    run: TaskRun
    answer: dict[str, Any] = field(default_factory=dict)
    path: str = ""

    def work(self) -> Generator[Pause, bool, None]:
        """Read the arguments, do what they say, write the answer."""
        yield _STARTS
        node = self.run.machine
        if not _is_known(self.run.action.arguments):
            self.run.end(1)
            return
        try:
            given = self._arguments()
        except (NoPathError, ValueError, KeyError, TypeError, RefusedError):
            yield _EXITS
            self.run.end(REFUSED_ARGUMENTS)
            return
        self.path = given["answer"]
        self.answer = {
            "format": 1,
            **{key: given[key] for key in ("run", "job", "mode")},
            "state": "working",
            "heartbeat": "",
            "doing": "",
            "done": 0,
            "total": 0,
            "restart_pending": None,
            "searches": [],
            "results": [],
            "error": None,
            "incomplete": False,
        }
        self._write()
        agent = UpdateAgent(self.world, node, self.run.logon, given["run"]) if isinstance(node, Node) else None
        try:
            if agent is None:
                raise AgentError(0x80004005)
            yield from self._scan(agent, given) if given["mode"] == "scan" else self._change(agent, given)
            self.answer["restart_pending"] = bool(agent.restart_required())
            self.answer["state"] = "done"
        except AgentError as error:
            self.answer["state"] = "failed"
            self.answer["error"] = {"hresult": _signed(error.hresult), "message": str(error)}
        self.answer["doing"] = ""
        self._write(last=True)
        yield _EXITS
        self.run.end(0)

    def _arguments(self) -> dict[str, Any]:
        given = json.loads(self.world.files.read(self.run.machine, FOLDER + "\\arguments.json").removeprefix("\ufeff"))
        ids = all(isinstance(given[key], str) and _ID.fullmatch(given[key]) for key in ("run", "job"))
        searches = given["searches"]
        texts = isinstance(searches, list) and all(isinstance(each, str) and each for each in searches)
        if (
            given["format"] != 1
            or not ids
            or given["mode"] not in ("scan", "download", "install")
            or not isinstance(given["include_recommended"], bool)
            or not texts
            or not 1 <= len(searches) <= 32
            or str(given["answer"]).lower() != f"{FOLDER}\\answer-{given['job']}.json".lower()
        ):
            raise RefusedError
        return dict(given)

    def _scan(self, agent: UpdateAgent, given: dict[str, Any]) -> Generator[Pause, bool, None]:
        node = self._node
        self.answer["total"] = len(given["searches"])
        for number, text in enumerate(given["searches"], 1):
            self.answer["doing"] = "searching"
            self._write()
            found = yield from self._search(agent, text, recommended=given["include_recommended"])
            if self.world.rig.take("search-with-errors", node.name):  # orcSucceededWithErrors
                self.answer["incomplete"] = True
            if found and self.world.rig.take("scan-empty", node.name):
                found = []
            there = self.world.updates.record(node).installed
            offered = [each.update_id for each in found if each.update_id not in there]
            detail = {"node": node.name, "orchestrator": given["run"], "update_ids": offered}
            self.world.emit("update.offered", node, detail)
            self.answer["searches"].append({"criteria": text, "updates": [_shown(each) for each in found]})
            self.answer["done"] = number

    def _change(self, agent: UpdateAgent, given: dict[str, Any]) -> Generator[Pause, bool, None]:
        """Download or install one update after the other."""
        self.answer["doing"] = "searching"
        self._write()
        found: list[UpdateSpec] = []
        for text in given["searches"]:
            found += yield from self._search(agent, text, recommended=given["include_recommended"])
        self.answer["total"] = len(found)
        order = agent.download if given["mode"] == "download" else agent.install
        for number, update in enumerate(found, 1):
            self.answer["doing"] = update.title
            self._write()
            code, hresult = yield from self._one(order, update)
            restart = given["mode"] == "install" and code == SUCCEEDED and update.needs_restart
            result = {"result_code": code, "hresult": _signed(hresult), "restart_required": restart}
            self.answer["results"].append({**_shown(update), **result})
            self.answer["done"] = number

    def _one(
        self, order: Callable[[list[UpdateSpec]], Operation], update: UpdateSpec
    ) -> Generator[Pause, bool, tuple[int, int]]:
        if update.needs_input:
            return FAILED, EULA_DECLINED
        try:
            operation = order([update])
        except AgentError as error:
            return FAILED, error.hresult
        yield Until(lambda: operation.over)
        result = operation.results[-1]
        return result.code, result.hresult

    def _search(self, agent: UpdateAgent, text: str, *, recommended: bool) -> Generator[Pause, bool, list[UpdateSpec]]:
        yield self.world.spread(self.world.spec.timings.scan)
        if condition := self.world.rig.take("scan-fails", self._node.name):
            raise AgentError(int(condition.text("hresult"), 0))
        try:
            return agent.search(parse(text), recommended=recommended)
        except InvalidCriteriaError:
            raise AgentError(INVALID_CRITERIA) from None

    @property
    def _node(self) -> Node:
        machine = self.run.machine
        assert isinstance(machine, Node)  # noqa: S101 - the agent of another machine was refused before
        return machine

    def _write(self, *, last: bool = False) -> None:
        self.answer["heartbeat"] = self.world.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        text = "\ufeff" + json.dumps(self.answer)
        if last and self.world.rig.take("task-answer-corrupt", self.run.machine.name):
            text = text[: len(text) // 2]
        self.world.files.write(self.run.machine, self.path, text)


def _is_known(arguments: str) -> bool:
    found = _ENCODED.search(arguments)
    if found is None:
        return False
    try:
        text = base64.b64decode(found[1], validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return all(mark in text for mark in _MARKS)


def _shown(update: UpdateSpec) -> dict[str, str]:
    return {
        "update_id": update.update_id,
        "title": update.title,
        "description": update.description,
        "asks": "licence-terms" if update.needs_input else "",
        "published": update.published,
    }


def _signed(hresult: int) -> int:
    return hresult - (1 << 32) if hresult >= 1 << 31 else hresult
