"""What a feature update writes down before anything is installed: remote management, and cluster validation."""

from __future__ import annotations

from typing import Literal

from include.hci.report.event import RunEvent, StepName


class RemotingSettingUp(RunEvent):
    """Remote management is about to be set up on a node by ``command``, because of what was ``lacking``.

    What this enables beside start types and the rules for remote restarts stays: taking it back would end the run's own sessions.
    """

    kind = "intent"
    event: Literal["remoting_setting_up"] = "remoting_setting_up"
    step: StepName = "remoting"
    node: str
    command: str
    lacking: tuple[str, ...] = ()


class RemotingRead(RunEvent):
    """How remote management stands on a node at the end of the step; ``lacking``: what CAU would miss.

    ``set_up`` are the commands of this run whose effects stay.
    """

    kind = "outcome"
    event: Literal["remoting_read"] = "remoting_read"
    step: StepName = "remoting"
    node: str
    lacking: tuple[str, ...] = ()
    set_up: tuple[str, ...] = ()


class ClusterValidating(RunEvent):
    """Cluster validation begins on ``host``: it creates a local account on every node and removes it again."""

    kind = "intent"
    event: Literal["cluster_validating"] = "cluster_validating"
    step: StepName = "validate"
    host: str
    categories: tuple[str, ...] = ()


class ClusterValidated(RunEvent):
    """What cluster validation found.

    ``report`` is the path of its report on ``host``, ``kept`` the name of the copy beside the run's record, empty for the reason
    in ``not_kept``. The tests go by the names that the report gives them, in the language of the server. ``said`` is what the
    cmdlet said beside it, ``judged_by`` what the verdict goes by. ``new`` and ``gone`` are findings compared with those before.
    """

    kind = "outcome"
    event: Literal["cluster_validated"] = "cluster_validated"
    step: StepName = "validate"
    moment: Literal["before", "after"]
    host: str
    report: str = ""
    kept: str = ""
    not_kept: str = ""
    judged_by: Literal["report", "flags", "silence", "nothing"] = "nothing"
    tests: int = 0
    failed: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
