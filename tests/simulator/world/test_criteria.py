"""win32, IUpdateSearcher::Search; SConfig and MSLab for whole queries."""

import pytest

from include.simulator.world.catalogue import FEATURE
from include.simulator.world.criteria import InvalidCriteriaError, parse

FACTS = {
    "isinstalled": False,
    "ispresent": False,
    "rebootrequired": False,
    "ishidden": False,
    "isassigned": True,
    "browseonly": False,
    "autoselectonwebsites": True,
    "type": "Software",
    "deploymentaction": "Installation",
    "updateid": "aaaa",
    "revisionnumber": 200,
    "categoryids": (FEATURE,),
}
CAU = "IsInstalled=0 and Type='Software' and IsHidden=0 and IsAssigned=1"
SCONFIG_ALL = (
    "IsInstalled=0 and DeploymentAction='Installation' or IsInstalled=0 and DeploymentAction='OptionalInstallation' or "
    "IsPresent=1 and DeploymentAction='Uninstallation' or IsInstalled=1 and DeploymentAction='Installation' and "
    "RebootRequired=1 or IsInstalled=0 and DeploymentAction='Uninstallation' and RebootRequired=1"
)


@pytest.mark.parametrize(
    ("text", "change", "found"),
    [
        (CAU, {}, True),
        (CAU, {"isassigned": False}, False),
        (CAU, {"type": "Driver"}, False),
        (CAU, {"isinstalled": True}, False),
        (CAU.upper().replace("'SOFTWARE'", "'Software'"), {}, True),
        (CAU + " and UpdateID!='AAAA'", {}, False),
        (CAU + " and UpdateID!='bbbb'", {}, True),
        (CAU + f" and CategoryIDs contains '{FEATURE.lower()}'", {}, True),
        (CAU + f" and CategoryIDs contains '{FEATURE}'", {"categoryids": ()}, False),
        (SCONFIG_ALL, {"deploymentaction": "OptionalInstallation"}, True),
        (SCONFIG_ALL, {"isinstalled": True, "rebootrequired": True}, True),
        (SCONFIG_ALL, {"isinstalled": True}, False),
        ("IsInstalled=0", {"deploymentaction": "OptionalInstallation"}, False),
        ("IsInstalled=0 AND AutoSelectOnWebSites=1", {}, True),
        ("IsInstalled = 1 or UpdateID = 'aaaa'", {}, True),
        ("IsInstalled=1 or IsHidden=1 and IsAssigned=1", {}, False),
    ],
)
def test_matching(text: str, change: dict[str, object], found: bool) -> None:
    assert parse(text).matches({**FACTS, **change}) is found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "IsInstalled",
        "IsInstalled=0 and",
        "IsInstalled=0 IsHidden=0",
        "IsInstalled!=0",
        "IsInstalled='0'",
        "IsInstalled=2",
        "Colour='red'",
        "CategoryIDs='x'",
        "CategoryIDs contains x",
        "(IsInstalled=0)",
        "Type='Software",
        "IsInstalled=0; drop",
    ],
)
def test_what_the_agent_refuses(text: str) -> None:
    with pytest.raises(InvalidCriteriaError):
        parse(text)
