from __future__ import annotations

import pytest

from include.hci.cluster.agents import Agents, get_agents
from include.hci.cluster.firewall import (
    REMOTE_SHUTDOWN,
    FirewallRule,
    get_firewall_rules,
    is_open,
    open_remote_shutdown,
    parse_rules,
    restore_rules,
    show_rules,
)
from include.hci.cluster.remoting import get_remote_management
from include.hci.cluster.soft_reboot import get_soft_reboot
from include.hci.powershell.errors import AnswerNotUnderstood, CommandFailed
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.result import Result
from tests.hci.cluster.fakes import FakeShell, enum, obj

WINRM = obj(Name="WinRM", Status=enum(4, "Running"), StartType=enum(2, "Automatic"))


def shell(**replies: object) -> FakeShell:
    endpoint = obj(Name="microsoft.powershell", Permission="BUILTIN\\Administrators AccessAllowed")
    known = {"Get-Service": [WINRM], "Test-WSMan": [obj()], "Get-PSSessionConfiguration": [endpoint]}
    return FakeShell(known | {name.replace("_", "-"): reply for name, reply in replies.items()})


def test_a_server_takes_part_when_it_listens_and_lets_remote_users_in():
    found = get_remote_management(shell())
    assert (found.starts_by_itself, found.listens, found.lets_in) == (True, True, True)


@pytest.mark.parametrize(
    "properties",
    [
        {"Permission": "NT-AUTORITÄT\\NETZWERK AccessDenied, VORDEFINIERT\\Administratoren AccessAllowed"},
        {"Permission": "", "SecurityDescriptorSddl": "O:NSG:BAD:P(D;;GA;;;NU)(A;;GA;;;BA)S:P"},
        {"Permission": "", "Enabled": "False"},
    ],
)
def test_an_endpoint_that_denies_the_network_lets_nobody_in(properties):
    endpoint = obj(Name="Microsoft.PowerShell", **properties)
    assert not get_remote_management(shell(Get_PSSessionConfiguration=[endpoint])).lets_in


def test_no_endpoint_and_no_answer_are_findings():
    found = get_remote_management(
        shell(Get_PSSessionConfiguration=[], Test_WSMan=CommandFailed([ErrorRecord("cannot connect")]))
    )
    assert (found.listens, found.lets_in) == (False, False)


@pytest.mark.parametrize(
    ("profile", "profiles"),
    [
        (enum(0, "Any"), ("Any",)),
        (enum(0, None), ("Any",)),
        (enum(3, "Domain, Private"), ("Domain", "Private")),
        (3, ("Domain", "Private")),
        ("Domain", ("Domain",)),
    ],
)
def test_rules_are_read_whatever_form_their_profile_comes_in(profile, profiles):
    rule = obj(Name="R1", Enabled=enum(2, "False"), Profile=profile)
    assert get_firewall_rules(FakeShell({"Get-NetFirewallRule": [rule]}), REMOTE_SHUTDOWN) == (
        FirewallRule("R1", False, profiles),
    )


@pytest.mark.parametrize(("number", "profiles"), [(0, ("Any",)), (1, ("Domain",)), (6, ("Private", "Public"))])
def test_a_rule_is_read_without_the_type_data_of_its_module(number, profiles):
    rule = obj(InstanceID="R1", Enabled=1, Profiles=number, RuleGroup=REMOTE_SHUTDOWN)
    assert get_firewall_rules(FakeShell({"Get-NetFirewallRule": [rule]}), REMOTE_SHUTDOWN) == (
        FirewallRule("R1", True, profiles),
    )


def test_a_rule_that_does_not_tell_where_it_counts_is_not_taken_for_one_that_counts_everywhere():
    rule = obj(Name="R1", Enabled=enum(2, "False"))
    with pytest.raises(AnswerNotUnderstood, match="Profiles"):
        get_firewall_rules(FakeShell({"Get-NetFirewallRule": [rule]}), REMOTE_SHUTDOWN)


def test_a_group_that_is_not_there_has_no_rules():
    missing = Result((), (ErrorRecord("no such group", category="ObjectNotFound"),))
    assert get_firewall_rules(FakeShell({"Get-NetFirewallRule": missing}), REMOTE_SHUTDOWN) == ()


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((), False),
        ((FirewallRule("A", True),), True),
        ((FirewallRule("A", True), FirewallRule("B", False, ("Public",))), True),
        ((FirewallRule("A", True), FirewallRule("B", False, ("Domain",))), False),
        ((FirewallRule("A", True, ("Public",)),), False),
    ],
)
def test_a_group_is_open_when_every_rule_that_counts_in_the_domain_is(rules, expected):
    assert is_open(rules) is expected


def test_rules_are_shown_and_read_back_and_put_back_by_their_names():
    rules = (FirewallRule("A=1", False), FirewallRule("B", True, ("Domain", "Private")), FirewallRule("C", False))
    assert parse_rules(show_rules(rules)) == rules
    assert parse_rules("disabled") == parse_rules("") == ()
    sent = FakeShell({})
    open_remote_shutdown(sent)
    restore_rules(sent, rules)
    assert sent.lines == [
        f"Set-NetFirewallRule -Group '{REMOTE_SHUTDOWN}' -Profile 'Domain' -Enabled 'True'",
        "Set-NetFirewallRule -Name 'A=1', 'C' -Profile 'Any' -Enabled 'False'",
        "Set-NetFirewallRule -Name 'B' -Profile 'Domain, Private' -Enabled 'True'",
    ]


@pytest.mark.parametrize(
    ("services", "process", "expected"),
    [
        ((), [], Agents()),
        ((("SCVMMAgent", "Running"),), [obj(FileVersion="10.19.2591.0")], Agents("Running", "10.19.2591.0")),
        ((("SCVMMAgent", "Running"),), CommandFailed([ErrorRecord("no such process")]), Agents("Running")),
        ((("SCVMMAgent", "Stopped"),), [obj(FileVersion="10.19")], Agents("Stopped")),
        ((("NcHostAgent", "Running"),), [], Agents(networking=True)),
        ((("NcHostAgent", "Stopped"),), [], Agents()),
    ],
)
def test_agents_are_found_by_their_services(services, process, expected):
    missing = tuple(ErrorRecord("no such service", category="ObjectNotFound") for _ in range(2 - len(services)))
    items = tuple(obj(Name=name, Status=status) for name, status in services)
    assert get_agents(FakeShell({"Get-Service": Result(items, missing), "Get-Process": process})) == expected


def test_another_error_is_none_of_a_service_that_is_missing():
    denied = Result((), (ErrorRecord("denied", category="PermissionDenied"),))
    with pytest.raises(CommandFailed):
        get_agents(FakeShell({"Get-Service": denied}))


def test_soft_reboots_are_a_private_property_of_the_cluster():
    found = [obj(Name="CauEnableSoftReboot", Value=1), obj(Name="Other", Value="x")]
    assert get_soft_reboot(FakeShell({"Get-ClusterParameter": found})) == "1"
    assert get_soft_reboot(FakeShell({"Get-ClusterParameter": found[1:]})) == ""
