"""The firewall rules with which CAU's coordinator restarts other nodes (windows-powershell-docs, NetSecurity)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from include.hci.cluster.as_found import FIREWALL_GROUPS, get_firewall_groups
from include.hci.cluster.values import enum_name
from include.hci.powershell.command import Command
from include.hci.powershell.errors import command_failed
from include.hci.powershell.psobject import PSObject
from include.hci.powershell.quoting import quoted
from include.hci.powershell.shell import Shell

#: The rule group "Remote Shutdown", by the resource that names it in every language.
REMOTE_SHUTDOWN = FIREWALL_GROUPS[0]
#: The rule group "Windows Remote Management".
REMOTE_MANAGEMENT = FIREWALL_GROUPS[1]
DOMAIN, ANY = "Domain", "Any"
_ENABLED = MappingProxyType({1: "True", 2: "False"})
#: The flags of a rule's Profile.
_PROFILES = MappingProxyType({1: "Domain", 2: "Private", 4: "Public"})


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """One rule of the machine's own store; ``profiles`` are Any or some of Domain, Private and Public."""

    name: str
    enabled: bool
    profiles: tuple[str, ...] = (ANY,)

    @property
    def is_for_domain(self) -> bool:
        """Whether it counts on the network of the domain."""
        return bool({ANY, DOMAIN} & set(self.profiles))

    def __str__(self) -> str:
        return f"{self.name}={'enabled' if self.enabled else 'disabled'}/{', '.join(self.profiles)}"

    @classmethod
    def parse(cls, text: str) -> FirewallRule:
        """Return the rule that ``text`` shows as ``str`` does; raises ValueError."""
        name, equals, rest = text.rpartition("=")
        state, slash, profiles = rest.partition("/")
        if not equals or not slash or state not in ("enabled", "disabled"):
            raise ValueError(f"{text!r} shows no firewall rule")
        return cls(name, state == "enabled", tuple(profiles.split(", ")))


def show_rules(rules: Sequence[FirewallRule]) -> str:
    """Return ``rules`` as a text from which ``parse_rules`` reads them back."""
    return "; ".join(map(str, sorted(rules, key=lambda rule: rule.name)))


def parse_rules(text: str) -> tuple[FirewallRule, ...]:
    """Return the rules that ``text`` shows, none where it shows something else."""
    try:
        return tuple(FirewallRule.parse(part) for part in text.split("; "))
    except ValueError:
        return ()


def get_firewall_rules(shell: Shell, group: str) -> tuple[FirewallRule, ...]:
    """Return the rules of ``group`` in the machine's own store, sorted; none where there is no such group."""
    result = shell.run(Command("Get-NetFirewallRule", {"Group": group}))
    if others := [record for record in result.errors if record.category != "ObjectNotFound"]:
        raise command_failed(others, node=result.node, command=result.command)
    found = (
        FirewallRule(
            item.string("Name", "") or item.string("InstanceID"),
            enum_name(item, "Enabled", _ENABLED) == "True",
            _profiles(item),
        )
        for item in result.objects()
    )
    return tuple(sorted(found, key=lambda rule: rule.name))


def is_open(rules: Sequence[FirewallRule]) -> bool:
    """Return whether every one of ``rules`` that counts in the domain is enabled, and one does."""
    counting = [rule for rule in rules if rule.is_for_domain]
    return bool(counting) and all(rule.enabled for rule in counting)


def open_remote_shutdown(shell: Shell) -> None:
    """Enable the rules of the group for the domain's network, and that alone (azure-stack-docs, update-cluster)."""
    parameters = {"Group": REMOTE_SHUTDOWN, "Profile": DOMAIN, "Enabled": "True"}
    shell.run(Command("Set-NetFirewallRule", parameters)).require()


def show_restoring(rule: FirewallRule) -> str:
    """Return the command that a person types to set a rule as it is given here."""
    return f"Set-NetFirewallRule -Name {quoted(rule.name)} -Profile {','.join(rule.profiles)} -Enabled {rule.enabled}"


def restore_rules(shell: Shell, rules: Sequence[FirewallRule]) -> None:
    """Set ``rules`` as they are given here, each by its name."""
    kinds: dict[tuple[str, bool], list[str]] = {}
    for rule in rules:
        kinds.setdefault((", ".join(rule.profiles), rule.enabled), []).append(rule.name)
    for (profiles, enabled), names in kinds.items():
        parameters = {"Name": names, "Profile": profiles, "Enabled": str(enabled)}
        shell.run(Command("Set-NetFirewallRule", parameters)).require()


def _profiles(item: PSObject) -> tuple[str, ...]:
    # Profile comes from the type data of PowerShell's module; the class itself (MSFT_NetFirewallRule) has Profiles. A rule that
    # tells neither must not be taken for one of Any: it would be put back as that.
    value = item.enum("Profile", None) or item.enum("Profiles")
    if value.number == 0 and value.name is None:
        return (ANY,)
    if value.name is not None and not value.name.isdigit():
        return tuple(part.strip() for part in value.name.split(","))
    number = value.number if value.number is not None else int(value.name or 0)
    return tuple(name for flag, name in _PROFILES.items() if number & flag) or (ANY,)


def allows_remote_shutdown(shell: Shell) -> bool | None:
    """Return whether every rule of the group is enabled in the machine's own store; None where it has no such group."""
    groups = get_firewall_groups(shell, (REMOTE_SHUTDOWN,))
    return all(groups.values()) if groups else None


def allow_remote_shutdown(shell: Shell) -> None:
    """Enable every rule of the group in the machine's own store; a group policy may still say otherwise."""
    shell.run(Command("Enable-NetFirewallRule", {"Group": REMOTE_SHUTDOWN})).require()


def forbid_remote_shutdown(shell: Shell) -> None:
    """Disable every rule of the group again in the machine's own store."""
    shell.run(Command("Disable-NetFirewallRule", {"Group": REMOTE_SHUTDOWN})).require()
