"""Streams, errors and pipelines as pypsrp sees them."""

from __future__ import annotations

import pytest
from pypsrp.powershell import PowerShell, PSInvocationState

from tests.simulator.wire.conftest import OpenPool, invoke
from tests.simulator.wire.lab import Lab


def test_every_stream_arrives(open_pool: OpenPool) -> None:
    with open_pool() as pool:
        shell = invoke(pool, "Write-Streams")
    streams = shell.streams
    assert shell.output == ["one", "two"]
    assert [str(record) for record in streams.warning] == ["a warning"]
    assert [str(record) for record in streams.verbose] == ["a verbose message"]
    assert [str(record) for record in streams.debug] == ["a debug message"]
    assert [(record.message_data, record.source) for record in streams.information] == [
        ("some information", "Write-Streams")
    ]
    (told,) = streams.progress
    assert (told.activity, told.description, told.percent_complete) == ("Draining", "Moving roles", 40)
    assert (told.activity_id, told.current_operation, told.seconds_remaining) == (3, "VM1", 9)


def test_non_terminating_errors_leave_the_pipeline_completed(open_pool: OpenPool) -> None:
    with open_pool() as pool:
        shell = invoke(pool, "Write-Streams")
    (error,) = shell.streams.error
    assert shell.state == PSInvocationState.COMPLETED
    assert not shell.had_errors
    assert str(error) == "VM9 did not move"
    assert error.fq_error == "Failed,Lab.Write-Streams"
    assert error.exception.types[:3] == [
        "Microsoft.FailoverClusters.PowerShell.ClusterCmdletException",
        "System.SystemException",
        "System.Exception",
    ]
    assert error.exception.adapted_properties["HResult"] == -2147019873
    assert error.exception.adapted_properties["NativeErrorCode"] == 5023
    assert (error.category, error.reason, error.target_name) == (15, "ClusterCmdletException", "VM9")
    assert error.message == "OperationTimeout: (VM9:String) [Write-Streams], ClusterCmdletException"
    assert error.target_object == "VM9"
    assert error.invocation_info.adapted_properties["MyCommand"] == "Write-Streams"


def test_terminating_errors_fail_the_pipeline(open_pool: OpenPool) -> None:
    with open_pool() as pool:
        shell = invoke(pool, "Stop-Here")
    assert shell.state == PSInvocationState.FAILED
    assert shell.had_errors
    assert [error.fq_error for error in shell.streams.error] == ["Failed,Lab.Stop-Here"]


def test_output_before_a_missing_command_stays(open_pool: OpenPool) -> None:
    with open_pool() as pool, PowerShell(pool) as shell:
        shell.add_cmdlet("Get-Echo").add_parameter("A", 1).add_statement().add_cmdlet("Get-Nothing")
        assert shell.invoke() == [1]
        assert shell.state == PSInvocationState.FAILED
        assert shell.streams.error[0].fq_error == "CommandNotFoundException"


def test_an_error_of_the_simulator_is_told_as_one(open_pool: OpenPool, caplog: pytest.LogCaptureFixture) -> None:
    with open_pool() as pool:
        shell = invoke(pool, "Break-Simulator")
    assert shell.state == PSInvocationState.FAILED
    assert "ZeroDivisionError" in str(shell.streams.error[0])
    assert "a pipeline failed inside the simulator" in caplog.text


def test_statements_and_pipelines_reach_the_host(open_pool: OpenPool, lab: Lab) -> None:
    with open_pool() as pool, PowerShell(pool) as shell:
        shell.add_cmdlet("Get-Echo").add_parameter("A", 1).add_cmdlet("ConvertTo-Json")
        shell.add_statement().add_cmdlet("Get-Echo").add_argument("second")
        assert shell.invoke() == ["1", "second"]
    assert [(argument.name, argument.value) for argument in lab.host.calls[-1].arguments] == [(None, "second")]


def test_input_reaches_the_host(open_pool: OpenPool, lab: Lab) -> None:
    with open_pool() as pool, PowerShell(pool) as shell:
        shell.add_cmdlet("Get-Note")
        shell.invoke(input=["a", 2, {"k": 1}])
    assert lab.host.input == ["a", 2, {"k": 1}]


def test_scripts_are_passed_to_the_host(open_pool: OpenPool, lab: Lab) -> None:
    with open_pool() as pool, PowerShell(pool) as shell:
        shell.add_script("1 + 1", use_local_scope=True)
        assert shell.invoke() == ["ran 1 + 1"]
    assert lab.host.calls[-1].is_script


def test_the_host_sees_the_session_configuration(open_pool: OpenPool) -> None:
    with open_pool(pool={"configuration_name": "HciUpdate"}) as pool:
        assert invoke(pool, "Get-Session").output[0].endswith(" HciUpdate")
        with PowerShell(pool) as shell:
            shell.add_script("1 + 1")
            shell.invoke()
        assert shell.streams.error[0].fq_error == "ScriptsNotAllowed"


def test_commands_are_described(open_pool: OpenPool) -> None:
    with open_pool() as pool:
        (described,) = pool.get_command_metadata("Get-N*")
    assert (described.name, described.namespace, str(described.command_type)) == ("Get-Node", "Lab", "Cmdlet")
    assert described.parameters["Name"].aliases == ["NodeName"]
