from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from include.hci.cluster.lock import LockHeld
from include.hci.cluster.updater import CauProviderUpdater
from include.hci.cluster.updates import Update, UpdateResult
from include.hci.powershell.command import Pipeline
from include.hci.powershell.errors import AnswerNotUnderstood, CommandFailed
from include.hci.powershell.records import ErrorRecord
from tests.hci.cluster.fakes import obj
from tests.hci.cluster.lockable import LockableShell

OURS = UUID("11111111-1111-1111-1111-111111111111")
THEIRS = UUID("22222222-2222-2222-2222-222222222222")
QUERY = "IsInstalled=0"
HOUR = timedelta(hours=1)


METHODS = ("ScanUpdates", "DownloadUpdates", "InstallUpdates", "RebootRequired")


#: What a parameter's declaration is as text: it has no ToString of its own.
PARAMETER = "Microsoft.Management.Infrastructure.Internal.Data.CimMethodParameterDeclarationOfMethod"


def methods(*parameters: str, names: tuple[str, ...] = METHODS) -> Callable[[Pipeline], list[object]]:
    """The class's methods, or the parameters of one, as remoting shows them: what stands inside a property is text."""

    def expanded(pipeline: Pipeline) -> list[object]:
        if pipeline.commands[-1].parameters["ExpandProperty"] == "Parameters":
            assert pipeline.commands[-2].parameters["Value"] == "ScanUpdates"
            return [obj(PARAMETER, Name=name) for name in parameters]
        return [obj(name, Name=name, Parameters=(PARAMETER,) * len(parameters)) for name in names]

    return expanded


def shell(
    answer: object = None, parameters: tuple[str, ...] = ("QueryString", "IncludeRecommendedUpdates"), **held: UUID
) -> LockableShell:
    made = LockableShell("HCI01", held)
    made.replies |= {"Select-Object": methods(*parameters), "Invoke-CimMethod": answer}
    return made


def updater(on: LockableShell, recommended: bool = False) -> CauProviderUpdater:
    return CauProviderUpdater(on, "HCI01", OURS, recommended)


def arguments(of: LockableShell) -> object:
    return dict(of.sent[-1].commands[-1].parameters["Arguments"])  # type: ignore[arg-type]


def info(update_id: str = "u1", title: str = "2026-11 Update (KB5044288)", **more: object):
    return obj(UpdateId=update_id, UpdateTitle=title, UpdateDesc="", **more)


def test_a_scan_gives_the_updates_and_creates_our_object_when_there_is_none():
    node = shell([obj(Info=(info(),), ReturnValue=0)])
    assert updater(node).scan(QUERY) == (Update("u1", "2026-11 Update (KB5044288)"),)
    assert node.held == {"MSFT_CAUNode": OURS}
    assert arguments(node) == {"QueryString": QUERY, "IncludeRecommendedUpdates": False}
    assert not node.sent[-1].is_change


def test_a_single_update_counts_as_one():
    assert len(updater(shell([obj(Info=info(), ReturnValue=0)])).scan(QUERY)) == 1


def test_the_newer_parameter_is_sent_only_where_the_class_has_it():
    node = shell([obj(Info=(), ReturnValue=0)], ("QueryString", "IncludeRecommendedUpdates", "FeatureUpdatesOnly"))
    updater(node, recommended=True).scan(QUERY)
    assert arguments(node) == {"QueryString": QUERY, "IncludeRecommendedUpdates": True, "FeatureUpdatesOnly": False}


def test_a_foreign_object_refuses_and_stays():
    node = shell([obj(Info=(), ReturnValue=0)], MSFT_CAUNode=THEIRS)
    with pytest.raises(LockHeld, match=str(THEIRS)):
        updater(node).scan(QUERY)
    updater(node).release()
    assert node.held == {"MSFT_CAUNode": THEIRS}


def test_results_carry_code_hresult_and_restart():
    rows = (
        info("u1", UpdateResultCode=2, UpdateErrorCode=0, RebootRequired=True),
        info("u2", UpdateResultCode=4, UpdateErrorCode=-2146498530, RebootRequired=False),
    )
    good, bad = updater(shell([obj(Info=rows, ReturnValue=0)])).install(QUERY, HOUR)
    assert (good.is_good, good.restart_required) == (True, True)
    assert (bad.is_failed, bad.hresult_text) == (True, "0x800F081E")


def test_a_call_that_failed_as_a_whole_is_an_error_with_its_code():
    with pytest.raises(CommandFailed) as raised:
        updater(shell([obj(Info=(), ReturnValue=0x80240016)])).install(QUERY, HOUR)
    assert raised.value.has_code(0x80240016)
    assert raised.value.retry_safe


def test_a_failed_call_that_names_updates_is_judged_by_them():
    rows = (info("u1", UpdateResultCode=4, UpdateErrorCode=-1),)
    (result,) = updater(shell([obj(Info=rows, ReturnValue=0x80240022)])).download(QUERY, HOUR)
    assert result.is_failed


def test_an_answer_whose_updates_are_no_objects_is_not_understood():
    with pytest.raises(AnswerNotUnderstood, match="Info"):
        updater(shell([obj(Info=("MSFT_CAU_ScanUpdateInfo",), ReturnValue=0)])).scan(QUERY)


@pytest.mark.parametrize("needed", [True, False])
def test_the_node_says_whether_it_needs_a_restart(needed):
    assert updater(shell([obj(ReturnValue=needed)])).restart_needed() is needed


def test_release_removes_our_object():
    node = shell(None, MSFT_CAUNode=OURS)
    updater(node).release()
    assert node.held == {}


@pytest.mark.parametrize(
    ("reply", "usable", "said"),
    [
        (methods("QueryString"), True, "every method"),
        (methods(names=("ScanUpdates",)), False, "DownloadUpdates, InstallUpdates, RebootRequired"),
        (CommandFailed([ErrorRecord("Invalid namespace", hresult=0x8004100E)]), False, "Invalid namespace"),
    ],
)
def test_the_probe_says_why_a_node_can_or_cannot_be_updated(reply, usable, said):
    node = shell()
    node.replies["Select-Object"] = reply
    probe = updater(node).probe()
    assert (probe.usable, said in probe.why) == (usable, True)


@pytest.mark.parametrize(
    ("code", "hresult", "good", "busy", "failed"),
    [
        (2, 0, True, False, False),
        (2, 0x00240005, True, False, False),
        (3, 0x80240022, False, False, False),
        (4, 0x80070643, False, False, True),
        (4, 0x80240017, True, False, False),
        (4, 0x80240016, False, True, False),
        (4, 0x80242014, False, True, False),
        (0, 0, False, True, False),
        (1, 0, False, True, False),
        (5, 0x8024000B, False, False, True),
        (9, 0, False, False, True),
    ],
)
def test_a_result_is_good_busy_or_failed(code, hresult, good, busy, failed):
    result = UpdateResult(Update("u"), code, hresult)
    assert (result.is_good, result.is_busy, result.is_failed) == (good, busy, failed)


def test_a_failure_says_what_its_hresult_means():
    result = UpdateResult(Update("u", "Update KB5044288"), 4, 0x80240044)
    assert "KB5044288 failed with 0x80240044" in result.describe()
    assert result.meaning
    assert result.meaning in result.describe()
