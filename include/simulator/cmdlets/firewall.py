"""Get-, Enable-, Disable- and Set-NetFirewallRule (windows-powershell-docs, NetSecurity)."""

from __future__ import annotations

from include.simulator.cmdlets import second_hop
from include.simulator.cmdlets.cim_objects import cim_error, instance, query_not_found
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet, fail
from include.simulator.objects import SimEnum, SimObject, UInt16
from include.simulator.world.firewall import Rule

_ENUMS = "Microsoft.PowerShell.Cmdletization.GeneratedTypes.NetSecurity."
_PROFILES = {"Any": 0, "Domain": 1, "Private": 2, "Public": 4}
#: By which property each parameter asks.
_KEYS = {"Name": "name", "DisplayName": "display_name", "Group": "group", "DisplayGroup": "display_group"}
_CLASS = "MSFT_NetFirewallRule"


@cmdlet("Get-NetFirewallRule")
async def get_net_firewall_rule(call: Call) -> None:
    """Write rules; a name or group that no rule has is an error of its own."""
    for rule in _found(call):
        call.sink.output(rule_object(call, rule))


@cmdlet("Enable-NetFirewallRule")
async def enable_net_firewall_rule(call: Call) -> None:
    """Enable rules in the machine's own store; a group policy still has the last word."""
    _change(call, enabled=True)


@cmdlet("Disable-NetFirewallRule")
async def disable_net_firewall_rule(call: Call) -> None:
    """Disable rules in the machine's own store; a group policy still has the last word."""
    _change(call, enabled=False)


@cmdlet("Set-NetFirewallRule")
async def set_net_firewall_rule(call: Call) -> None:
    """Change whether rules are enabled and on which profiles they apply."""
    wanted = call.text("Enabled")
    profile = call.text("Profile")
    profiles = tuple(each.strip() for each in profile.split(",")) if profile else None
    others = set(call.parameters) - {*_KEYS, "Enabled", "Profile", "PassThru", "InputObject", "PolicyStore"}
    others -= {"CimSession", "Confirm"}
    if others:
        raise fail(
            f"This simulated machine does not play Set-NetFirewallRule with -{min(others)}.",
            "ParameterNotSimulated",
            "NotImplemented",
        )
    _change(call, enabled=None if wanted is None else wanted.lower() == "true", profiles=profiles)


def rule_object(call: Call, rule: Rule) -> SimObject:
    """Return a rule as the module's type data shows it."""
    number = 0
    for each in rule.profiles:
        number |= _PROFILES[each]
    properties: dict[str, object] = {
        "Caption": "",
        "Description": rule.description,
        "DisplayGroup": rule.display_group,
        "DisplayName": rule.display_name,
        "ElementName": rule.display_name,
        "InstanceID": rule.name,
        "PolicyStoreSource": "PersistentStore",
        "RuleGroup": rule.group,
    }
    texts: dict[str, object] = {
        "Name": rule.name,
        "ID": rule.name,
        "Group": rule.group,
        "Enabled": SimEnum(_ENUMS + "Enabled", 1 if rule.enabled else 2, "True" if rule.enabled else "False"),
        "Profile": SimEnum(_ENUMS + "Profile", number, ", ".join(rule.profiles)),
        "Direction": SimEnum(_ENUMS + "Direction", 1, "Inbound"),
        "Action": SimEnum(_ENUMS + "Action", 2, "Allow"),
        "PrimaryStatus": SimEnum(_ENUMS + "PrimaryStatus", 1, "OK"),
        "PolicyStoreSourceType": SimEnum(_ENUMS + "PolicyStoreType", 1, "Local"),
    }
    properties["EnforcementStatus"] = [UInt16(0)]
    return instance(
        "root/standardcimv2",
        (_CLASS,),
        properties,
        host=call.host.name,
        texts=texts,
        to_string=f'{_CLASS} (CreationClassName = "MSFT|FW|FirewallRule|{rule.name}")',
        source=rule,
    )


def _change(call: Call, *, enabled: bool | None, profiles: tuple[str, ...] | None = None) -> None:
    rules = _found(call)
    call.world.firewall.change(call.host, rules, enabled=enabled, profiles=profiles)
    if call.has("PassThru"):
        for rule in rules:
            call.sink.output(rule_object(call, rule))


def _found(call: Call) -> list[Rule]:
    """Return the rules that the command is about."""
    for session in call.texts("CimSession"):
        if not second_hop.is_local(call, session):
            raise cim_error(call, "Access is denied. ", 0x80070005, "PermissionDenied", session)
    if call.input:
        return [item.source for item in call.input if isinstance(item, SimObject) and isinstance(item.source, Rule)]
    rules = call.world.firewall.rules(call.host)
    for parameter, attribute in _KEYS.items():
        asked = call.texts(parameter)
        if not asked:
            continue
        kept: list[Rule] = []
        for text in asked:
            hits = [rule for rule in rules if matching(text, [getattr(rule, attribute)])]
            if not hits and "*" not in text:
                call.sink.error(query_not_found(call, _CLASS, _property(parameter), text))
            kept += [rule for rule in hits if rule not in kept]
        rules = kept
    wanted = call.texts("Enabled") if call.name.startswith(("Get", "Enable", "Disable")) else []
    if wanted:
        rules = [rule for rule in rules if str(rule.enabled).lower() in {each.lower() for each in wanted}]
    return rules


def _property(parameter: str) -> str:
    """Return the property of the class behind a parameter: the module asks for names by InstanceID, for groups by RuleGroup."""
    return {"Name": "InstanceID", "Group": "RuleGroup"}.get(parameter, parameter)
