"""Makes a failing run smaller: fewer faults, fewer deaths, an earlier death, and it still fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.chaos.play import Verdict, play
from tests.chaos.scenario import Scenario


def shrink(verdict: Verdict, player: Callable[[Scenario], Verdict] = play, tries: int = 60) -> Verdict:
    """Return the smallest run found within ``tries`` that is broken in the same invariant; ``player`` plays one."""
    smallest = verdict
    while tries:
        for candidate in _smaller(smallest.scenario):
            tries -= 1
            found = player(candidate)
            if _same(found, verdict):
                smallest = found
                break
            if not tries:
                return smallest
        else:
            return smallest
    return smallest


def _same(found: Verdict, wanted: Verdict) -> bool:
    kinds = {line.partition(":")[0] for line in wanted.broken}
    return any(line.partition(":")[0] in kinds for line in found.broken)


def _smaller(given: Scenario) -> Iterator[Scenario]:
    for index in range(len(given.troubles)):
        yield replace(given, troubles=given.troubles[:index] + given.troubles[index + 1 :])
    if given.kills:
        yield replace(given, kills=())
    for index in range(len(given.kills)):
        yield replace(given, kills=given.kills[:index] + given.kills[index + 1 :])
    if given.cancel is not None:
        yield replace(given, cancel=None)
        yield from (replace(given, cancel=given.cancel * part // 4) for part in (1, 2, 3) if given.cancel * part // 4)
    if given.variants:
        yield replace(given, variants=frozenset())
    yield from (
        replace(given, kills=tuple(sorted((*given.kills[:index], kill // 2, *given.kills[index + 1 :]))))
        for index, kill in enumerate(given.kills)
        if kill // 2
    )
