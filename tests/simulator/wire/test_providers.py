"""The Airflow providers' own hooks and operators, unmodified."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulator.wire.lab import PASSWORD, USER, Lab


@pytest.fixture(scope="module", autouse=True)
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give Airflow a home and no examples before anything imports it."""
    home = tmp_path_factory.mktemp("airflow")
    with pytest.MonkeyPatch.context() as patch:
        if "AIRFLOW_HOME" not in os.environ:
            patch.setenv("AIRFLOW_HOME", str(home))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        yield home


@pytest.fixture
def connections(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    psrp = {"auth": "negotiate", "ssl": True, "cert_validation": str(lab.server.certificate_file)}
    https = f"https://127.0.0.1:{lab.shared.https_port}/wsman"
    winrm = {"endpoint": https, "transport": "ntlm", "ca_trust_path": str(lab.server.certificate_file)}
    login = {"host": "127.0.0.1", "login": USER, "password": PASSWORD}
    plain = {"auth": "ntlm", "ssl": False}
    for name, kind, extra in (("PSRP", "psrp", psrp), ("PSRP_HTTP", "psrp", plain), ("WINRM", "winrm", winrm)):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({"conn_type": kind, **login, "extra": extra}))
    return lab


@pytest.mark.parametrize("name", ["psrp", "psrp_http"])
def test_psrp_hook(connections: Lab, name: str) -> None:
    from airflow.providers.microsoft.psrp.hooks.psrp import PsrpHook

    port = connections.shared.https_port if name == "psrp" else connections.shared.http_port
    with PsrpHook(name, wsman_options={"port": port}) as hook:
        assert hook.invoke_cmdlet("Get-Echo", parameters={"A": "x"}).output == ["x"]
        assert hook.invoke_powershell("1 + 1").output == ["ran 1 + 1"]


def test_psrp_hook_fails_on_any_error_record(connections: Lab) -> None:
    from airflow.exceptions import AirflowException
    from airflow.providers.microsoft.psrp.hooks.psrp import PsrpHook

    hook = PsrpHook("psrp", wsman_options={"port": connections.shared.https_port})
    with pytest.raises(AirflowException, match="one or more errors"):
        hook.invoke_cmdlet("Write-Streams")


def test_psrp_operator(connections: Lab) -> None:
    from airflow.providers.microsoft.psrp.operators.psrp import PsrpOperator

    operator = PsrpOperator(
        task_id="echo",
        psrp_conn_id="psrp",
        cmdlet="Get-Echo",
        parameters={"A": "x"},
        wsman_options={"port": connections.shared.https_port},
    )
    assert operator.execute({}) == ["x"]
    assert connections.host.calls[-1].name == "Get-Echo"


def test_winrm_hook(connections: Lab) -> None:
    from airflow.providers.microsoft.winrm.hooks.winrm import WinRMHook

    assert WinRMHook(ssh_conn_id="winrm").run("both ends") == (3, [b"out\r\n"], [b"err\r\n"])


def test_winrm_operator(connections: Lab) -> None:
    from airflow.exceptions import AirflowException
    from airflow.providers.microsoft.winrm.operators.winrm import WinRMOperator

    result = WinRMOperator(task_id="echo", ssh_conn_id="winrm", command="echo hello").execute({})
    assert base64.b64decode(str(result)) == b"hello\r\n"
    with pytest.raises(AirflowException, match="return code: 3, error: err"):
        WinRMOperator(task_id="both", ssh_conn_id="winrm", command="both ends").execute({})


async def test_winrm_trigger_reads_from_another_connection(connections: Lab) -> None:
    from airflow.providers.microsoft.winrm.hooks.winrm import WinRMHook
    from airflow.providers.microsoft.winrm.triggers.winrm import WinRMCommandOutputTrigger

    hook = WinRMHook(ssh_conn_id="winrm")
    shell_id, command_id = hook.run_command("wait 0.2")
    trigger = WinRMCommandOutputTrigger(
        ssh_conn_id="winrm", shell_id=shell_id, command_id=command_id, poll_interval=0.1
    )
    event = await anext(trigger.run())
    assert event.payload["return_code"] == 0, event.payload
    assert [base64.b64decode(part) for part in event.payload["stdout"]] == [b"waited\r\n"]
