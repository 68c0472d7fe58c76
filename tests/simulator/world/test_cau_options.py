"""windows-powershell-docs, Invoke-CauRun; windowsserverdocs, cluster-aware-updating-options: defaults and limits."""

from datetime import timedelta

import pytest

from include.simulator.world.cau_options import OptionError, PluginUse, read

NODES = ["HCI01", "HCI02", "HCI03", "HCI04"]
WU = "Microsoft.WindowsUpdatePlugin"


def test_what_nobody_says() -> None:
    options = read({}, NODES)
    assert options.plugins == (PluginUse(WU),)
    assert (options.max_retries_per_node, options.reboot_timeout) == (3, timedelta(minutes=15))
    assert (options.failback_mode, options.pause) == ("Immediate", "drain")
    assert (options.warn_after, options.stop_after, options.suspend_timeout) == (None, None, None)


@pytest.mark.parametrize(("nodes", "limit"), [(1, 0), (2, 0), (3, 1), (4, 1), (8, 2), (16, 5)])
def test_about_a_third_of_the_nodes_may_fail(nodes: int, limit: int) -> None:
    assert read({}, [f"N{number}" for number in range(nodes)]).max_failed_nodes == limit


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("MaxFailedNodes", 4),
        ("MaxFailedNodes", -1),
        ("MaxRetriesPerNode", 65),
        ("NodeOrder", ["HCI09"]),
        ("PreUpdateScript", "\\\\share\\pre.txt"),
        ("PostUpdateScript", "C:\\" + "x" * 260 + ".ps1"),
        ("StopAfter", timedelta(0)),
        ("RebootTimeoutMinutes", 0),
        ("CauPluginArguments", [{}, {}]),
        ("CauPluginArguments", [{"IncludeRecommendedUpdates": True}]),
    ],
)
def test_what_cau_does_not_take(option: str, value: object) -> None:
    with pytest.raises(OptionError) as refused:
        read({option: value}, NODES)
    assert refused.value.option == option


@pytest.mark.parametrize(
    ("switch", "way"),
    [
        ("ForcePauseNoDrain", "none"),
        ("ForcePauseAndDrain", "force"),
        ("ForcePauseDrainAndReboot", "force-and-reboot"),
    ],
)
def test_ways_to_pause(switch: str, way: str) -> None:
    assert read({switch: True}, NODES).pause == way


def test_arguments_belong_to_plug_ins_by_position() -> None:
    values = {"CauPluginName": [WU, "Contoso.Firmware"], "CauPluginArguments": [{}, {"Level": "3"}]}
    assert read(values, NODES).plugins == (PluginUse(WU), PluginUse("Contoso.Firmware", {"Level": "3"}))


@pytest.mark.parametrize("value", [True, "True", ["true"]])
def test_separate_reboots_as_switch_and_as_text(value: object) -> None:
    assert read({"SeparateReboots": value}, NODES).separate_reboots
