"""CredSSP and the set-up of remote management (PowerShell-Docs, Microsoft.WSMan.Management and Microsoft.PowerShell.Core)."""

from __future__ import annotations

from include.simulator.cmdlets import second_hop
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, ask, cmdlet, fail
from include.simulator.objects import SimError, SimObject, TerminatingError
from include.simulator.world.machines import Machine
from include.simulator.world.remoting import RESTART

_POLICY = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WinRM\\"
_INVALID = ("System.InvalidOperationException", "System.SystemException", "System.Exception")
_XML = ("System.Xml.XmlElement", "System.Xml.XmlLinkedNode", "System.Xml.XmlNode", "System.Object")
_SETTINGS = {
    "wsman:\\localhost\\service\\auth\\credssp": "server",
    "wsman:\\localhost\\client\\auth\\credssp": "client",
}


@cmdlet("Get-WSManCredSSP")
async def get_wsman_credssp(call: Call) -> None:
    """Write two sentences: to whom the machine may delegate, and whether it accepts delegated credentials."""
    targets = call.world.credssp.client(call.host).targets
    if targets:
        listed = ",".join(targets)
        call.sink.output(
            f"The machine is configured to allow delegating fresh credentials to the following target(s): {listed}"
        )
    else:
        call.sink.output("The machine is not configured to allow delegating fresh credentials.")
    able = "" if call.host.credssp else "not "
    call.sink.output(f"This computer is {able}configured to receive credentials from a remote client computer.")


@cmdlet("Enable-WSManCredSSP")
async def enable_wsman_credssp(call: Call) -> None:
    """Switch a role on; it asks first unless -Force was given, and a group policy may stand against it."""
    role, targets = (call.text("Role") or "").lower(), tuple(call.texts("DelegateComputer"))
    if role == "server" and targets:
        raise _invalid(call, "The DelegateComputer parameter cannot be used when the Role parameter is Server.")
    if role == "client" and not targets:
        raise _invalid(call, "The DelegateComputer parameter must be specified when the Role parameter is Client.")
    ask(call)
    _check_policy(call, role)
    if role == "server":
        call.world.credssp.set_server(call.host, True)
    else:
        call.world.credssp.enable_client(call.host, targets)
    call.sink.output(_auth(call.host, role, "true"))


@cmdlet("Disable-WSManCredSSP")
async def disable_wsman_credssp(call: Call) -> None:
    """Switch a role off; it writes nothing."""
    role = (call.text("Role") or "").lower()
    _check_policy(call, role)
    if role == "server":
        call.world.credssp.set_server(call.host, False)
    else:
        call.world.credssp.disable_client(call.host)


@cmdlet("Set-WSManQuickConfig")
async def set_wsman_quick_config(call: Call) -> None:
    """Set remote management up, or say that nothing is left to do; it asks first unless -Force was given."""
    ask(call)
    if call.has("UseSSL"):
        raise fail(
            "Cannot create a WinRM listener on HTTPS because this machine does not have an appropriate certificate.",
            "WsManError,Microsoft.WSMan.Management.SetWSManQuickConfigCommand",
            "InvalidOperation",
            exception_types=_INVALID,
        )
    remoting = call.world.remoting
    if remoting.configured(call.host):
        call.sink.output("WinRM is already set up to receive requests on this computer.")
        call.sink.output("WinRM is already set up for remote management on this computer.")
        return
    remoting.quick_config(call.host)
    call.sink.output("WinRM has been updated to receive requests.")
    call.sink.output("WinRM has been updated for remote management.")


@cmdlet("Enable-PSRemoting")
async def enable_psremoting(call: Call) -> None:
    """Let remote users in and restart the service; it asks first unless -Force was given.

    The restart makes the change effective and ends the caller's own session with all others (PowerShell-Docs, Enable-PSRemoting).
    """
    ask(call)
    was_set_up = call.world.remoting.configured(call.host)
    call.world.remoting.enable_powershell(call.host)
    if not was_set_up:
        call.sink.output("WinRM has been updated to receive requests.")
    call.world.remoting.restart(call.host)
    await call.clock.sleep(RESTART)


@cmdlet("Disable-PSRemoting")
async def disable_psremoting(call: Call) -> None:
    """Keep remote users out; service, listener and firewall rules stay as they are."""
    ask(call)
    call.sink.warning(
        "Disabling the session configurations does not undo all the changes made by the Enable-PSRemoting or "
        "Enable-PSSessionConfiguration cmdlet."
    )
    call.world.remoting.disable_powershell(call.host)


@cmdlet("Get-PSSessionConfiguration")
async def get_pssession_configuration(call: Call) -> None:
    """Write the session configurations that were named, or all; a name that none has is an error of its own."""
    state = call.world.remoting.state(call.host)
    names = call.texts("Name")
    for name in names or ["*"]:
        hits = [each for each in state.configurations if matching(name, [each])]
        if not hits and "*" not in name:
            call.sink.error(_no_configuration(name))
        for each in hits:
            call.sink.output(_configuration(each, state.powershell))


@cmdlet("Test-WSMan")
async def test_wsman(call: Call) -> None:
    """Write what the WS-Management service says of itself; only after a log-on it tells the version of Windows."""
    name = call.text("ComputerName") or "localhost"
    found = _answering(call, name)
    authentication = (call.text("Authentication") or "None").lower()
    if authentication != "none" and not second_hop.is_local(call, name) and not call.session.delegated:
        raise _wsman_error(call, name, "Access is denied.", 5)
    version = "0.0.0" if authentication == "none" else f"10.0.{found.build}"
    notes: dict[str, object] = {
        "wsmid": "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd",
        "ProtocolVersion": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
        "ProductVendor": "Microsoft Corporation",
        "ProductVersion": f"OS: {version} SP: 0.0 Stack: 3.0",
    }
    types = ("System.Xml.XmlElement#http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd#IdentifyResponse",)
    call.sink.output(SimObject((*types, *_XML), notes, to_string="IdentifyResponse"))


def setting(call: Call, path: str) -> SimObject | None:
    """Return a setting of the WSMan drive, or None where it does not hold ``path``."""
    role = _SETTINGS.get(path.lower().rstrip("\\"))
    if role is None:
        return None
    value = call.world.credssp.state(call.host)[role]
    properties: dict[str, object] = {
        "Name": "CredSSP",
        "SourceOfValue": "GPO" if _forbidden(call, role) else "",
        "Type": "System.String",
        "Value": str(value).lower(),
    }
    space = "Microsoft.WSMan.Management.WSManConfig"
    types = (space + "LeafElement", space + "Element", "System.Object")
    return SimObject(types, properties, to_string=types[0])


def _answering(call: Call, name: str) -> Machine:
    short = call.host.name if second_hop.is_local(call, name) else name.split(".")[0]
    found = next((each for key, each in call.world.machines.items() if key.lower() == short.lower()), None)
    if found is None:
        raise _wsman_error(
            call,
            name,
            "The WinRM client cannot process the request because the server name cannot be resolved.",
            -2144108103,
        )
    if not call.world.services.reachable(found) or not call.world.remoting.state(found).listener:
        raise _wsman_error(
            call,
            name,
            "The client cannot connect to the destination specified in the request. Verify that the service on the "
            "destination is running and is accepting requests.",
            -2144108526,
        )
    return found


def _auth(machine: Machine, role: str, value: str) -> SimObject:
    part = "service" if role == "server" else "client"
    properties: dict[str, object] = {
        "cfg": f"http://schemas.microsoft.com/wbem/wsman/1/config/{part}/auth",
        "lang": "en-US",
        "Basic": "false" if role == "server" else "true",
        "Kerberos": "true",
        "Negotiate": "true",
        "Certificate": "false" if role == "server" else "true",
        "CredSSP": value,
    }
    return SimObject(_XML, properties, {"PSComputerName": machine.name}, to_string="Auth")


def _configuration(name: str, lets_in: bool) -> SimObject:
    allowed = "NT AUTHORITY\\INTERACTIVE AccessAllowed, BUILTIN\\Administrators AccessAllowed"
    properties: dict[str, object] = {
        "Name": name,
        "PSVersion": "5.1",
        "StartupScript": "",
        "RunAsUser": "",
        "Permission": allowed if lets_in else f"NT AUTHORITY\\NETWORK AccessDenied, {allowed}",
    }
    kind = "Microsoft.PowerShell.Commands.PSSessionConfigurationCommands#PSSessionConfiguration"
    return SimObject(
        (kind, "System.Management.Automation.PSCustomObject", "System.Object"), {}, properties, to_string=kind
    )


def _no_configuration(name: str) -> SimError:
    return SimError(
        f'No session configuration matches criteria "{name}".',
        "Microsoft.PowerShell.Commands.WriteErrorException",
        "NotSpecified",
        ("Microsoft.PowerShell.Commands.WriteErrorException", "System.SystemException", "System.Exception"),
        reason="WriteErrorException",
        activity="Get-PSSessionConfiguration",
    )


def _forbidden(call: Call, role: str) -> bool:
    key = _POLICY + ("Service" if role == "server" else "Client")
    return call.world.registry.value(call.host, key, "AllowCredSSP") == 0


def _check_policy(call: Call, role: str) -> None:
    if _forbidden(call, role):
        raise _wsman_error(
            call,
            call.host.name,
            "The config setting CredSSP cannot be changed because use is controlled by policies. The policy would need to be set "
            'to "Not Configured" in order to change the config setting.',
            -2144108052,
        )


def _invalid(call: Call, text: str) -> TerminatingError:
    return fail(
        text,
        "System.InvalidOperationException,Microsoft.WSMan.Management.EnableWSManCredSSPCommand",
        exception_types=_INVALID,
        reason="InvalidOperationException",
        activity=call.name,
    )


def _wsman_error(call: Call, target: str, text: str, code: int) -> TerminatingError:
    verb, _, noun = call.name.partition("-")
    fault = (
        f'<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="{code & 0xFFFFFFFF}" '
        f'Machine="{call.host.name}"><f:Message>{text} </f:Message></f:WSManFault>'
    )
    return TerminatingError(
        SimError(
            fault,
            f"WsManError,Microsoft.WSMan.Management.{verb}{noun}Command",
            "InvalidOperation",
            _INVALID,
            reason="InvalidOperationException",
            target=target,
            target_type="String",
            activity=call.name,
        )
    )
