import json
from pathlib import Path

import pytest

from include.simulator.cmdlets import generate_syntax
from include.simulator.cmdlets.syntax import load_table, table_for

VENDOR = Path(__file__).parents[4] / "shared" / "reference" / "cmdlets"


@pytest.mark.parametrize(
    ("os_version", "documentation_set"),
    [
        ("20H2", "2019"),
        ("WS2019", "2019"),
        ("21H2", "2022"),
        ("22H2", "2022"),
        ("ws2022", "2022"),
        ("23H2", "2025"),
        ("WS2025", "2025"),
    ],
)
def test_each_os_version_has_its_documentation_set(os_version: str, documentation_set: str) -> None:
    assert table_for(os_version).documentation_set == documentation_set


def test_an_unknown_os_version_is_named() -> None:
    with pytest.raises(ValueError, match=r"'Windows 3\.11'.*22H2"):
        table_for("Windows 3.11")


def test_names_are_found_in_any_case_and_with_their_module() -> None:
    table = load_table("2022")
    assert table.find("suspend-clusternode") is table.find("FailoverClusters\\Suspend-ClusterNode")
    assert table.find("Storage\\Suspend-ClusterNode") is None


def test_a_cmdlet_without_a_page_is_unknown() -> None:
    for documentation_set in generate_syntax.DOCUMENTATION_SETS:
        table = load_table(documentation_set)
        assert table.find("Get-ClusterPerf") is None
        assert not table.is_known_elsewhere("Get-ClusterPerf")


def test_parameter_facts() -> None:
    failback = load_table("2022").find("Resume-ClusterNode").parameters["Failback"]
    assert (failback.position, failback.accepted_values) == (1, ("NoFailback", "Immediate", "Policy"))
    invoke = load_table("2022").find("Invoke-CimMethod")
    assert invoke.default_set == "ClassNameComputerSet"
    assert invoke.parameters["ClassName"].required_in == {"ClassNameComputerSet", "ClassNameSessionSet"}
    assert invoke.parameters["InputObject"].by_value
    assert invoke.parameters["Arguments"].type == "Hashtable"


@pytest.mark.parametrize(
    ("vendor", "short"),
    [
        ("System.Management.Automation.PSCredential", "PSCredential"),
        ("System.Nullable`1[[System.DateTime]]", "DateTime"),
        ("System.Nullable`1[System.Double]", "Double"),
        ("System.String[]", "String[]"),
        ("string[]", "String[]"),
        ("System.Collections.IDictionary", "Hashtable"),
    ],
)
def test_type_names_are_shortened(vendor: str, short: str) -> None:
    assert generate_syntax.short_type(vendor) == short


@pytest.mark.skipif(not VENDOR.is_dir(), reason="the vendor's syntax (../shared/reference/cmdlets) is not here")
@pytest.mark.parametrize("documentation_set", generate_syntax.DOCUMENTATION_SETS)
def test_the_committed_table_is_what_the_generator_writes(documentation_set: str) -> None:
    committed = Path(generate_syntax.__file__).with_name(f"syntax-{documentation_set}.json").read_text(encoding="utf-8")
    assert committed == generate_syntax.render(VENDOR, documentation_set)


@pytest.mark.skipif(not VENDOR.is_dir(), reason="the vendor's syntax (../shared/reference/cmdlets) is not here")
@pytest.mark.parametrize("documentation_set", generate_syntax.DOCUMENTATION_SETS)
def test_the_table_tells_the_vendors_facts(documentation_set: str) -> None:
    """An independent reading of the vendor's file: every parameter, its sets, position and mandatory sets."""
    vendor = json.loads((VENDOR / f"windows-server-{documentation_set}.json").read_text(encoding="utf-8"))["cmdlets"]
    for cmdlet in load_table(documentation_set).cmdlets.values():
        if cmdlet.name not in vendor:
            assert cmdlet.name in generate_syntax.SUPPLEMENT
            continue
        page = vendor[cmdlet.name]
        assert set(cmdlet.parameters) == set(page["parameters"]), cmdlet.name
        for name, facts in page["parameters"].items():
            parameter = cmdlet.parameters[name]
            assert str(parameter.position if parameter.position is not None else "Named") == facts["position"], (
                cmdlet.name,
                name,
            )
            in_sets = set(facts["sets"])
            if in_sets != {"(All)"}:
                assert {each.replace(" (cdxml)", "") for each in in_sets} == parameter.sets, (cmdlet.name, name)
            general = [
                each["syntax"] for each in vendor[cmdlet.name]["sets"] if each["set"].endswith("- All providers")
            ]
            if general and not any(f"-{name}" in syntax for syntax in general):
                assert not parameter.required_in, "what one provider adds is never required of the others"
            else:
                assert bool(facts["required_in"]) == bool(parameter.required_in), (cmdlet.name, name)
            assert list(parameter.accepted_values) == facts.get("accepted_values", [])
