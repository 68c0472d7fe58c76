from datetime import UTC, datetime, timedelta

import pytest

from include.simulator.cmdlets.binder import Binding, bind
from include.simulator.cmdlets.binder_pipeline import bind_object
from include.simulator.cmdlets.syntax import ALL_SETS, CmdletSyntax, ParameterSyntax, load_table
from include.simulator.host import Argument
from include.simulator.objects import Credential, SecureString, SimEnum, SimError, SimObject, TerminatingError, UInt32

TABLE = load_table("2022")


def call(name: str, *positional: object, piped: bool = False, **named: object) -> Binding:
    arguments = [Argument(None, value) for value in positional] + [Argument(key, value) for key, value in named.items()]
    return bind(TABLE.find(name), arguments, expects_input=piped)


def refusal(name: str, *positional: object, piped: bool = False, **named: object) -> SimError:
    with pytest.raises(TerminatingError) as caught:
        call(name, *positional, piped=piped, **named)
    return caught.value.record


def cim(class_name: str, **properties: object) -> SimObject:
    return SimObject(
        (f"Microsoft.Management.Infrastructure.CimInstance#root/x/{class_name}", "System.Object"), properties
    )


# --- names ---------------------------------------------------------------------------------------------------------


def test_names_bind_in_any_case_and_come_out_canonical() -> None:
    assert call("Suspend-ClusterNode", NAME="HCI01", drain=None).parameters == {"Name": ["HCI01"], "Drain": True}


def test_an_alias_and_an_unambiguous_beginning_bind() -> None:
    assert call("Invoke-CimMethod", Class="X", MethodName="Y", Arg={"a": 1}).parameters == {
        "ClassName": "X",
        "MethodName": "Y",
        "Arguments": {"a": 1},
    }


def test_a_cmdlets_own_parameter_goes_before_a_common_one() -> None:
    # -V fits Value (own) as well as Verbose (common)
    assert call("Where-Object", Property="Name", EQ=None, V="HCI01", piped=True).parameters["Value"] == "HCI01"


def test_an_unknown_parameter() -> None:
    record = refusal("Suspend-ClusterNode", Nmae="HCI01")
    assert (
        record.fully_qualified_error_id
        == "NamedParameterNotFound,Microsoft.FailoverClusters.PowerShell.SuspendClusterNodeCommand"
    )
    assert record.category == "InvalidArgument"
    assert record.exception_types[0] == "System.Management.Automation.ParameterBindingException"
    assert record.message == "A parameter cannot be found that matches parameter name 'Nmae'."


def test_a_functions_error_id_carries_its_name() -> None:
    assert refusal("Get-VirtualDisk", Colour="red").fully_qualified_error_id == "NamedParameterNotFound,Get-VirtualDisk"


def test_what_if_is_unknown_where_the_cmdlet_does_not_support_it() -> None:
    assert refusal("Resume-ClusterNode", WhatIf=None).fully_qualified_error_id.startswith("NamedParameterNotFound,")


def test_an_ambiguous_beginning() -> None:
    record = refusal("Get-CimInstance", C="x")
    assert record.fully_qualified_error_id.startswith(
        "AmbiguousParameter,Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand"
    )
    assert "-CimSession" in record.message
    assert "-ClassName" in record.message


def test_a_parameter_given_twice() -> None:
    with pytest.raises(TerminatingError) as caught:
        bind(TABLE.find("Get-ClusterNode"), [Argument("Name", "a"), Argument("name", "b")])
    assert (
        caught.value.record.fully_qualified_error_id
        == "ParameterAlreadyBound,Microsoft.FailoverClusters.PowerShell.GetNodeCommand"
    )


# --- positions -----------------------------------------------------------------------------------------------------


def test_positions_bind_in_order_and_skip_what_has_a_name() -> None:
    assert call("Resume-ClusterNode", "HCI01", "Immediate").parameters == {"Name": ["HCI01"], "Failback": "Immediate"}
    assert call("Resume-ClusterNode", "Policy", Name="HCI01").parameters == {"Name": ["HCI01"], "Failback": "Policy"}


def test_a_position_too_many() -> None:
    record = refusal("Resume-ClusterNode", "HCI01", "Immediate", "surplus")
    assert record.fully_qualified_error_id.startswith("PositionalParameterNotFound,")
    assert record.message == "A positional parameter cannot be found that accepts argument 'surplus'."


def test_the_type_of_a_positional_argument_chooses_the_set() -> None:
    binding = call("Remove-CimInstance", cim("MSFT_CAURun"))
    assert binding.parameter_set == "CimInstanceComputerSet"
    assert list(binding.parameters) == ["InputObject"]
    assert call("Remove-CimInstance", "select * from X").parameter_set == "QueryComputerSet"


# --- parameter sets ------------------------------------------------------------------------------------------------


def test_the_default_set_and_the_set_that_a_parameter_names() -> None:
    assert call("Get-VirtualDisk").parameter_set == "ByFriendlyName"
    assert call("Get-VirtualDisk", UniqueId="x").parameter_set == "ByUniqueId"
    assert call("Get-ItemProperty", LiteralPath="HKLM:\\X").parameter_set == "LiteralPath"


def test_parameters_of_two_sets() -> None:
    assert (
        refusal("Get-VirtualDisk", UniqueId="x", FriendlyName="y").fully_qualified_error_id
        == "AmbiguousParameterSet,Get-VirtualDisk"
    )


def test_a_switch_chooses_the_comparison() -> None:
    assert call("Where-Object", Property="A", NE=None, Value=1, piped=True).parameter_set == "NotEqualSet"
    assert refusal(
        "Where-Object", Property="A", NE=None, EQ=None, Value=1, piped=True
    ).fully_qualified_error_id.startswith("AmbiguousParameterSet,")


def test_missing_mandatory_parameters_without_a_person_to_ask() -> None:
    record = refusal("Invoke-CimMethod", ClassName="X")
    assert record.fully_qualified_error_id == (
        "MissingMandatoryParameter,Microsoft.Management.Infrastructure.CimCmdlets.InvokeCimMethodCommand"
    )
    assert record.message.endswith("missing mandatory parameters: MethodName.")


def test_a_mandatory_parameter_may_come_from_the_pipeline() -> None:
    assert refusal("Enable-StorageMaintenanceMode").fully_qualified_error_id.startswith("MissingMandatoryParameter,")
    assert call("Enable-StorageMaintenanceMode", piped=True).parameters == {}


def test_a_null_for_a_mandatory_parameter() -> None:
    record = refusal("Invoke-CimMethod", ClassName=None, MethodName="Y")
    assert record.fully_qualified_error_id.startswith("ParameterArgumentValidationErrorNullNotAllowed,")
    assert record.category == "InvalidData"


# --- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["Immediate", "immediate", "Imm", 1, "1", SimEnum("X.FailbackType", 1, "Immediate")])
def test_enumerations_bind_by_name_beginning_and_number(value: object) -> None:
    assert call("Resume-ClusterNode", Failback=value).parameters["Failback"] == "Immediate"


@pytest.mark.parametrize("value", ["Later", "", 7, "7"])
def test_an_unknown_enumeration_value(value: object) -> None:
    record = refusal("Resume-ClusterNode", Failback=value)
    assert record.fully_qualified_error_id.startswith("CannotConvertArgumentNoMessage,")
    assert "NoFailback" in record.message


def test_a_validated_set_of_texts() -> None:
    assert call("Restart-Computer", Protocol="wsman").parameters["Protocol"] == "wsman"
    record = refusal("Restart-Computer", Protocol="smoke")
    assert (
        record.fully_qualified_error_id
        == "ParameterArgumentValidationError,Microsoft.PowerShell.Commands.RestartComputerCommand"
    )
    assert record.exception_types[0].endswith("ParameterBindingValidationException")
    assert '"DCOM,WSMan"' in record.message


@pytest.mark.parametrize(("value", "expected"), [(5, 5), ("5", 5), ("0x10", 16), (2.5, 2), (3.5, 4), (True, 1)])
def test_integers(value: object, expected: int) -> None:
    assert call("Get-VirtualDisk", ThrottleLimit=value).parameters["ThrottleLimit"] == expected


@pytest.mark.parametrize("value", ["many", 2**31, {"a": 1}, "", "1.5x"])
def test_what_is_no_integer(value: object) -> None:
    assert refusal("Get-VirtualDisk", ThrottleLimit=value).fully_qualified_error_id.startswith(
        "CannotConvertArgumentNoMessage,"
    )


def test_unsigned_integers_keep_their_type() -> None:
    assert type(call("Get-CimInstance", "X", OperationTimeoutSec=5).parameters["OperationTimeoutSec"]) is UInt32
    assert refusal("Get-CimInstance", "X", OperationTimeoutSec=-1).category == "InvalidArgument"


def test_booleans_take_numbers_but_no_text() -> None:
    assert call("Get-StoragePool", IsPrimordial=False).parameters == {"IsPrimordial": [False]}
    assert call("Get-StoragePool", IsPrimordial=1).parameters == {"IsPrimordial": [True]}
    assert "Boolean parameters accept only Boolean values" in refusal("Get-StoragePool", IsPrimordial="False").message


def test_switches() -> None:
    assert call("Suspend-ClusterNode", Drain=True).parameters == {"Drain": True}
    assert call("Suspend-ClusterNode", Drain=False).parameters == {}
    assert refusal("Suspend-ClusterNode", Drain="yes").fully_qualified_error_id.startswith(
        "CannotConvertArgumentNoMessage,"
    )


def test_one_value_is_wrapped_for_an_array_and_several_do_not_fit_a_single_one() -> None:
    assert call("Get-Service", Name="ClusSvc").parameters == {"Name": ["ClusSvc"]}
    assert call("Get-Service", Name=["ClusSvc", "wuauserv"]).parameters == {"Name": ["ClusSvc", "wuauserv"]}
    assert refusal("Get-CimInstance", ClassName=["A", "B"]).category == "InvalidArgument"


def test_other_values_become_text() -> None:
    assert call("Get-ClusterNode", Name=7).parameters == {"Name": ["7"]}
    node = SimObject(("Node",), {}, to_string="HCI01")
    assert call("Get-ClusterNode", Name=node).parameters == {"Name": ["HCI01"]}


def test_objects_must_be_of_the_declared_type() -> None:
    assert refusal("Enable-StorageMaintenanceMode", InputObject="HCI01").message.endswith(
        'Cannot convert the "HCI01" value of type "System.String" to type "Microsoft.Management.Infrastructure.CimInstance".'
    )
    assert refusal("Where-Object", FilterScript="$_.Name", piped=True).message.endswith(
        '"System.Management.Automation.ScriptBlock".'
    )
    assert refusal("Invoke-CimMethod", ClassName="X", MethodName="Y", Arguments="no").category == "InvalidArgument"


def one(type_name: str, value: object) -> object:
    parameter = ParameterSyntax("P", type_name, frozenset({ALL_SETS}))
    return bind(
        CmdletSyntax("Test-It", "M", (ALL_SETS,), ALL_SETS, {"P": parameter}), [Argument("P", value)]
    ).parameters["P"]


@pytest.mark.parametrize(
    ("type_name", "value", "expected"),
    [
        ("TimeSpan", "01:30:00", timedelta(minutes=90)),
        ("TimeSpan", "1.02:03:04.5", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=500)),
        ("TimeSpan", 90, timedelta(microseconds=9)),
        ("DateTime", "2026-11-03T01:12:00+00:00", datetime(2026, 11, 3, 1, 12, tzinfo=UTC)),
        ("Int64", "9000000000", 9_000_000_000),
        ("PSCredential", Credential("u", SecureString("p")), Credential("u", SecureString("p"))),
    ],
)
def test_other_types(type_name: str, value: object, expected: object) -> None:
    assert one(type_name, value) == expected


@pytest.mark.parametrize(
    ("type_name", "value"),
    [("TimeSpan", "soon"), ("DateTime", "soon"), ("Guid", "soon"), ("PSCredential", "bob"), ("Hashtable", [1])],
)
def test_other_types_refuse(type_name: str, value: object) -> None:
    with pytest.raises(TerminatingError):
        one(type_name, value)


# --- common parameters ---------------------------------------------------------------------------------------------


def test_common_parameters_are_kept_apart() -> None:
    binding = call("Suspend-ClusterNode", ea="Stop", Verbose=None, wi=None, WarningAction=0)
    assert binding.parameters == {}
    assert (binding.common.error_action, binding.common.verbose, binding.common.what_if) == ("Stop", True, True)
    assert binding.common.warning_action == "SilentlyContinue"


def test_an_unknown_action() -> None:
    assert refusal("Get-Cluster", ErrorAction="Explode").fully_qualified_error_id.startswith(
        "CannotConvertArgumentNoMessage,"
    )


# --- objects from the pipeline -------------------------------------------------------------------------------------


def test_an_instance_from_the_pipeline_chooses_its_set() -> None:
    binding = call("Invoke-CimMethod", MethodName="RebootRequired", piped=True)
    instance = cim("MSFT_CAUNode", OrchestratorGuid="x")
    assert bind_object(binding, instance) == {"InputObject": instance}


def test_the_class_of_an_instance_chooses_the_parameter() -> None:
    pool = cim("MSFT_StoragePool", FriendlyName="S2D")
    assert bind_object(call("Get-VirtualDisk", piped=True), pool)["StoragePool"] is pool


def test_an_object_that_fits_nothing() -> None:
    for name, thing in (("Enable-StorageMaintenanceMode", "HCI01"), ("Get-CauRun", cim("X"))):
        record = bind_object(call(name, piped=True), thing)
        assert isinstance(record, SimError)
        assert record.fully_qualified_error_id.startswith("InputObjectNotBound,")


def test_a_property_fills_a_parameter() -> None:
    row = SimObject(("Row",), {"friendlyname": "Volume1"})
    assert bind_object(call("Repair-VirtualDisk", piped=True), row) == {"FriendlyName": ["Volume1"]}


def test_an_object_that_leaves_a_mandatory_parameter_open() -> None:
    row = SimObject(("Row",), {"ClassName": "X"})
    record = bind_object(call("Invoke-CimMethod", piped=True), row)
    assert isinstance(record, SimError)
    assert record.fully_qualified_error_id.startswith("InputObjectMissingMandatory,")
