"""Each of the further checks fails for its own reason only, with its own severity."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from include.hci.cluster.nodes import ClusterGroup, ClusterResource, Quorum, VolumeAccess
from include.hci.cluster.policies import PendingRestart, UpdatePolicy
from include.hci.cluster.rollout import FirmwareRollout, ScheduledTask
from include.hci.cluster.storage import StoragePool, VirtualDisk
from include.hci.cluster.validation import CauFinding, ClusterValidation
from include.hci.cluster.values import GroupState, NodeState
from include.hci.cluster.virtual_machines import DvdDrive, VirtualMachine
from include.hci.policy.checks.access import RIGHTS
from include.hci.policy.checks.capacity import unplaced
from include.hci.policy.checks.vendor import CAU_RULES, rule_of
from include.hci.policy.gates import StorageFacts
from include.hci.policy.readiness import NodeMemory, Severity, Status, Subject, Unread, check_readiness
from include.hci.settings import Schedule
from tests.hci.policy.readiness_facts import FINE, GIB, NAMES, RULES, but, failed, with_node

CRITICAL, WARNING, INFORMATION = Severity.CRITICAL, Severity.WARNING, Severity.INFORMATION
DISK = FINE.storage.disks[0]


def storage(**changes):
    return but(storage=replace(FINE.storage, **changes))


def disk(**changes):
    return storage(disks=(replace(DISK, **changes),))


def vm(name: str = "VM1", node: str = "HCI01", memory: int = 8, **changes) -> VirtualMachine:
    return VirtualMachine(
        **{"name": name, "node": node, "state": "Running", "clustered": True, "memory": memory * GIB, **changes}
    )


def policy(**changes):
    return but(update_policies={**FINE.update_policies, "HCI02": UpdatePolicy(**changes)})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (disk(copies=1, resiliency="Simple"), {"single-copy": CRITICAL}),
        (disk(copies=1, resiliency=""), {"single-copy": CRITICAL}),
        (disk(copies=None, resiliency="simple"), {"single-copy": CRITICAL}),
        (disk(copies=1, resiliency="Parity"), {}),
        (disk(copies=None, resiliency=""), {}),
        (storage(pools=(StoragePool("S2D", "Warning", ("Degraded",)),)), {"pools": WARNING}),
        (storage(pools=(StoragePool("S2D", "Unhealthy", ("Lost",)),)), {"pools": CRITICAL}),
        (but(volume_access=(VolumeAccess("V1", "HCI02", "FileSystemRedirected", ("BackupInProgress",)),)), {"volume-access": WARNING}),
        (but(volume_access=(VolumeAccess("V1", "HCI02", "BlockRedirected", ("NoDiskConnectivity",)),)), {"volume-access": WARNING}),
        (but(volume_access=(VolumeAccess("V1", "HCI02", "Direct"),)), {}),
        (but(volume_access=(VolumeAccess("V1", "HCI02", "Unavailable"),)), {"volume-access": WARNING}),
        (but(volume_access=(VolumeAccess("V1", "HCI02", "BlockRedirected", ("VolumeReplicationEnabled",)),)), {}),
        (but(free_space={**FINE.free_space, "HCI03": 5 * GIB}), {"free-space": CRITICAL}),
        (but(free_space={**FINE.free_space, "HCI03": 5 * GIB + 1}), {}),
        (but(groups=(ClusterGroup("VM1", "HCI01", GroupState.ONLINE, "VirtualMachine", locked=True),)), {"locked-roles": WARNING}),
        (but(virtual_machines=(vm(clustered=False),)), {"unclustered-vms": CRITICAL}),
        (but(virtual_machines=(vm(clustered=False, state="Off"),)), {}),
        (but(virtual_machines=(vm(clustered=False, state="Paused"),)), {"unclustered-vms": CRITICAL}),
        (but(virtual_machines=(vm(operations=("Ok", "BackingUpVirtualMachine")),)), {"backup": WARNING}),
        (but(media=(DvdDrive("VM1", "ISO", r"C:\iso\setup.iso"),)), {"local-media": CRITICAL}),
        (but(media=(DvdDrive("VM1", "PassThrough"),)), {"local-media": CRITICAL}),
        (but(media=(DvdDrive("VM1", "ISO", r"C:\ClusterStorage\V1\setup.iso"),)), {}),
        (but(media=(DvdDrive("VM1", "ISO", r"\\share\iso\setup.iso"),)), {}),
        (but(media=(DvdDrive("VM9", "ISO", r"C:\iso\setup.iso"),)), {}),
        (but(virtual_machines=(vm(clustered=False),), media=(DvdDrive("VM1", "PassThrough"),)), {"unclustered-vms": CRITICAL}),
        (policy(au_options=4), {"automatic-updates": CRITICAL}),
        (policy(au_options=4, no_auto_update=True), {}),
        (policy(au_options=2), {}),
        (policy(), {}),
        (policy(use_wu_server=True, wu_server="http://WSUS:8530/"), {"update-source": WARNING}),
        (policy(use_wu_server=False, wu_server="http://WSUS:8530"), {}),
        (but(rollout=FirmwareRollout(has_targets=True, enabled=True)), {"firmware-rollout": WARNING}),
        (but(rollout=FirmwareRollout(has_targets=True, enabled=False)), {}),
        (but(tasks={"HCI02": (ScheduledTask("SMEWindowsUpdateInstallUpdates", "\\", "Running"),)}), {"other-tools": CRITICAL}),
        (but(servicing=("HCI02",)), {"servicing": WARNING}),
        (but(missing_scripts=(("HCI02", r"C:\s\pre.ps1"),)), {"update-scripts": CRITICAL}),
        (but(hook_problems=("monitoring does not answer",)), {"required-hooks": CRITICAL}),
        (but(missing_scripts=None, hook_problems=None), {}),
        (but(unused_commands=("pre_update_script",)), {"unused-commands": WARNING}),
        (but(unused_commands=()), {}),
        (but(wmi_blocked={"HCI02": True}), {"wmi-processes": WARNING}),
        (but(restart_keys={"HCI02": PendingRestart(servicing=True)}), {"pending-restart": INFORMATION}),
        (but(restart_keys={"HCI02": PendingRestart(file_renames=True)}), {}),
        (but(quorum=Quorum()), {}),
        (but(validation=ClusterValidation("")), {"validation": WARNING}),
        (but(validation=ClusterValidation("r.htm", ("Netzwerk: Warnung",))), {"validation": WARNING}),
    ],
)  # fmt: skip
def test_each_check_fails_for_its_own_reason_only(facts, expected):
    assert failed(facts) == expected


@pytest.mark.parametrize(
    ("state", "fails"), [("Online", True), ("Offline", False), ("Failed", False), ("OnlinePending", True), (None, True)]
)
def test_a_self_updating_role_that_is_disabled_is_no_danger(state, fails):
    role = ClusterResource("CAU", "ClusterAwareUpdatingResource", state or "", "CAUgroup", "HCI02")
    facts = but(cau_role={"DaysOfWeek": "Tuesday"}, resources=(*FINE.resources, *([role] if state else [])))
    assert ("cau-role" in failed(facts)) is fails


@pytest.mark.parametrize(
    ("run_by", "role", "state", "found"),
    [
        ("airflow", True, "Online", CRITICAL),
        ("airflow", True, "OnlinePending", CRITICAL),
        # Nothing says that it is off.
        ("airflow", True, None, CRITICAL),
        ("airflow", True, "Offline", None),
        ("airflow", True, "Failed", None),
        ("airflow", False, None, None),
        ("cau", True, "Online", None),
        ("cau", True, "Offline", None),
        ("cau", False, None, None),
        (None, True, "Online", WARNING),
        (None, True, "Offline", None),
        (None, False, None, None),
    ],
)
def test_a_cluster_has_one_cadence_only(run_by, role, state, found):
    line = {"start_date": "2026-03-02 03:00", "days_of_week": ["SAT"], "interval_weeks": 1}
    schedule = run_by and Schedule.model_validate({"timezone": "UTC", "run_by": run_by, "lines": [line]})
    rules = replace(RULES, schedule=schedule)
    resource = ClusterResource("CAU", "ClusterAwareUpdatingResource", state or "", "CAUgroup", "HCI02")
    facts = but(
        cau_role={"DaysOfWeek": "Tuesday", "WeeksOfMonth": "3"} if role else None,
        resources=(*FINE.resources, *([resource] if state else [])),
    )
    assert failed(facts, rules).get("cau-role") is found
    said = next(check for check in check_readiness(facts, rules) if check.id == "cau-role")
    if found is CRITICAL:
        assert "DaysOfWeek Tuesday, WeeksOfMonth 3" in said.evidence
        assert "Airflow begins runs of its own (03:00 every Saturday (UTC))" in said.evidence
        assert said.refuses
        assert "Disable-CauClusterRole" in said.remediation


@pytest.mark.parametrize(
    ("run_by", "state", "found"),
    [
        ("airflow", "Online", CRITICAL),
        ("airflow", "Offline", WARNING),
        ("airflow", None, WARNING),
        ("cau", "Online", WARNING),
        (None, "Online", WARNING),
    ],
)
def test_a_role_that_cannot_be_read_refuses_where_its_resource_is_at_work_beside_airflow(run_by, state, found):
    schedule = run_by and Schedule.model_validate(
        {
            "timezone": "UTC",
            "run_by": run_by,
            "lines": [{"start_date": "2026-03-02 03:00", "days_of_week": 4, "interval_weeks": 1}],
        }
    )
    resource = ClusterResource("CAU", "ClusterAwareUpdatingResource", state or "", "CAUgroup", "HCI02")
    facts = but(
        unread=(Unread("cau-role", "access denied"),), resources=(*FINE.resources, *([resource] if state else []))
    )
    checks = check_readiness(facts, replace(RULES, schedule=schedule))
    said = next(check for check in checks if check.id == "cau-role")
    assert (said.status, said.severity) == (Status.UNKNOWN, found)


def test_a_machine_that_may_go_down_with_its_node_is_told_of_and_any_other_one_refuses():
    rules = replace(RULES, local_vms=("dc01", "DC02"))
    facts = but(
        virtual_machines=(vm("DC01", clustered=False), vm("VM7", clustered=False), vm("DC02"), vm()),
        media=(DvdDrive("DC01", "PassThrough"),),
    )
    checks = {check.id: check for check in check_readiness(facts, rules) if not check.passed}
    assert {key: check.severity for key, check in checks.items()} == {
        "unclustered-vms": CRITICAL,
        "local-vms": INFORMATION,
    }
    assert checks["unclustered-vms"].evidence == "VM7 is Running on HCI01 and no role of the cluster"
    assert checks["local-vms"].evidence == "DC01 goes down with HCI01"


def test_a_witness_that_is_not_online_is_told_even_where_the_quorum_stands():
    nodes = (*FINE.nodes, replace(FINE.nodes[0], name="HCI04"))
    facts = but(
        nodes=nodes, expected=(*NAMES, "HCI04"), memory={**FINE.memory, "HCI04": FINE.memory["HCI01"]}, resources=()
    )
    assert failed(facts) == {"witness": WARNING}


def test_a_volume_without_a_second_copy_is_named_with_its_resiliency():
    (check,) = [check for check in check_readiness(disk(copies=1, resiliency="Simple"), RULES) if check.refuses]
    assert check.evidence == "V1 has a single copy (Simple)"


def memory(*machines: VirtualMachine, free: int = 32):
    return but(virtual_machines=machines, memory=dict.fromkeys(NAMES, NodeMemory(64 * GIB, free * GIB)))


@pytest.mark.parametrize(
    ("facts", "severity", "said"),
    [
        (memory(vm(memory=64), free=64), None, "suffices"),
        (memory(vm(memory=32), vm("VM2", memory=32)), None, "suffices"),
        (memory(vm(memory=33)), CRITICAL, "VM1 of HCI01 needs 33 GiB, more than any other node has left"),
        (memory(*(vm(f"VM{n}", memory=13) for n in range(5))), CRITICAL, "need 65 GiB, the others have 64 GiB left"),
        (memory(*(vm(f"VM{n}", memory=20) for n in range(3))), WARNING, "room for VM2 of HCI01"),
        (memory(vm(memory=64, state="Off")), None, "suffices"),
        (memory(vm(memory=64, state="Saved")), None, "suffices"),
    ],
)
def test_the_other_nodes_must_have_room_for_what_moves(facts, severity, said):
    (check,) = [check for check in check_readiness(facts, RULES) if check.id == "memory"]
    assert check.status is (Status.FAILED if severity else Status.PASSED)
    assert severity is None or check.severity is severity
    assert said in check.evidence


def test_a_volume_is_named_once_for_all_nodes_that_reach_it_the_same_way():
    ways = [("HCI01", ()), ("HCI02", ("UserRequest",)), ("HCI03", ("UserRequest",))]
    facts = but(volume_access=tuple(VolumeAccess("V1", node, "FileSystemRedirected", why) for node, why in ways))
    (check,) = [check for check in check_readiness(facts, RULES) if check.id == "volume-access"]
    assert check.evidence == "V1 is FileSystemRedirected on HCI02, HCI03 (UserRequest)"


def test_a_node_that_is_out_is_not_blamed_for_the_volumes_it_does_not_reach():
    facts = replace(with_node("HCI02", NodeState.DOWN), volume_access=(VolumeAccess("V1", "hci02", "Unavailable"),))
    assert "volume-access" not in failed(facts)


def test_a_cluster_without_storage_spaces_direct_is_told_so_and_not_to_wait():
    facts = replace(storage(disks=()), cluster=replace(FINE.cluster, s2d_enabled=False))
    (check,) = [check for check in check_readiness(facts, RULES) if check.id == "storage"]
    assert check.refuses
    assert "does not use Storage Spaces Direct" in check.evidence
    assert "Get-StorageJob" not in check.remediation


@pytest.mark.parametrize("elsewhere", [False, True])
def test_dynamic_memory_makes_too_little_memory_a_warning(elsewhere):
    large = vm(memory=33, is_dynamic=not elsewhere)
    facts = memory(large, vm("VM2", node="HCI02", memory=1, is_dynamic=elsewhere))
    (check,) = [check for check in check_readiness(facts, RULES) if check.id == "memory"]
    assert (check.status, check.severity) == (Status.FAILED, WARNING)
    assert "VM1 of HCI01 needs 33 GiB" in check.evidence
    assert "dynamic memory may make room" in check.evidence


def test_a_node_that_is_out_gives_no_room():
    facts = replace(with_node("HCI03", NodeState.PAUSED), virtual_machines=(vm(memory=20), vm("VM2", memory=20)))
    assert failed(facts)["memory"] is CRITICAL


def test_memory_that_was_not_read_of_every_node_is_no_proof():
    facts = replace(FINE, memory={"HCI01": NodeMemory(1, 1)}, unread=(Unread("memory", "no answer", "HCI02"),))
    assert {check.id: check.status for check in check_readiness(facts, RULES)}["memory"] is Status.UNKNOWN


def test_the_largest_machine_is_placed_first_where_it_fits_most_tightly():
    machines = [vm("SMALL", memory=10), vm("LARGE", memory=30), vm("MIDDLE", memory=20)]
    assert unplaced(machines, {"A": 30 * GIB, "B": 30 * GIB}) == ()
    assert unplaced([*machines, vm("MORE", memory=1)], {"A": 30 * GIB, "B": 30 * GIB}) == ("MORE",)


@pytest.mark.parametrize(("subject", "severity"), [("storage", CRITICAL), ("health", WARNING), ("media", WARNING)])
def test_a_refused_reading_names_the_right_that_is_missing(subject, severity):
    facts = but(unread=(Unread(subject, "Access is denied", "HCI02", refused=True),))
    (check,) = [check for check in check_readiness(facts, RULES) if check.id == "privileges"]
    assert (check.status, check.severity) == (Status.FAILED, severity)
    assert check.evidence == f"reading {subject} was refused on HCI02: it needs {RIGHTS[subject]}"


def test_the_right_for_every_reading_is_known():
    assert set(RIGHTS) == set(get_args(Subject))


def test_a_reading_that_failed_for_another_reason_says_nothing_about_rights():
    assert "privileges" not in failed(but(unread=(Unread("health", "the connection was lost", "HCI02"),)))


#: The titles of CAU's best practices in the order of the vendor's table.
TITLES = (
    "The failover cluster must be available",
    "The failover cluster nodes must be enabled for remote management via WMI",
    "Windows PowerShell remoting should be enabled on each failover cluster node",
    "The failover cluster must be running Windows Server 2012 or a later version",
    "The required versions of .NET Framework and Windows PowerShell must be installed on all failover cluster nodes",
    "The Cluster service should be running on all cluster nodes",
    "Automatic Updates must not be configured to automatically install updates on any failover cluster node",
    "The failover cluster nodes should use the same update source",
    "A firewall rule that allows remote shutdown should be enabled on each node in the failover cluster",
    "The proxy server setting on each failover cluster node should be set to a local proxy server",
    "The CAU clustered role should be installed on the failover cluster to enable self-updating mode",
    "The CAU clustered role should be enabled on the failover cluster to enable self-updating mode",
    "The configured CAU plug-in for self-updating mode must be registered on all failover cluster nodes",
    "All failover cluster nodes should have the same set of registered CAU plug-ins",
    "The configured CAU run options must be valid",
    "At least two failover cluster nodes must be owners of the CAU clustered role",
    "All failover cluster nodes must be able to access Windows PowerShell scripts",
    "All failover cluster nodes should use identical Windows PowerShell scripts",
    "The WarnAfter setting specified for the Updating Run should be less than the StopAfter setting",
)  # fmt: skip


def test_every_best_practice_of_the_vendor_is_known_by_the_words_of_its_title():
    found = [rule_of(CauFinding("", title)) for title in TITLES]
    assert None not in found
    assert {rule.id for rule in found} == {rule.id for rule in CAU_RULES}
    assert len(CAU_RULES) == 19


def test_every_best_practice_is_known_by_its_number_whatever_the_language():
    by_title = [rule_of(CauFinding("", title)).id for title in TITLES]
    assert [rule_of(CauFinding(str(number), "Regel")).id for number in range(1, 20)] == by_title
    assert rule_of(CauFinding("20", "Regel")) is None
    # A version that counts otherwise is still read by its words.
    assert rule_of(CauFinding("1", TITLES[8])).id == "cau-firewall"


def findings(title: str, uses_cau: bool = False, rule: str = "R1", **finding):
    facts = but(cau_setup=(CauFinding(rule, title, **finding),))
    return next(check for check in check_readiness(facts, replace(RULES, uses_cau=uses_cau)) if check.title == title)


@pytest.mark.parametrize(
    ("title", "ours", "cau"),
    [(TITLES[0], CRITICAL, CRITICAL), (TITLES[1], WARNING, CRITICAL), (TITLES[8], INFORMATION, CRITICAL), (TITLES[16], None, WARNING)],
)  # fmt: skip
def test_a_broken_best_practice_is_as_grave_as_the_kind_of_run_makes_it(title, ours, cau):
    for uses_cau, severity in ((False, ours), (True, cau)):
        check = findings(title, uses_cau, machines=("HCI02",))
        if severity is None:
            assert check.status is Status.NOT_APPLICABLE
        else:
            assert (check.status, check.severity) == (Status.FAILED, severity)
            assert check.evidence == "broken on HCI02"
            assert check.remediation


@pytest.mark.parametrize(
    ("finding", "status"),
    [
        ({"state": "Succeeded"}, Status.PASSED),
        ({"state": "Failed"}, Status.FAILED),
        ({"state": "Started"}, Status.FAILED),
        ({"state": "NeverHeardOf"}, Status.PASSED),
    ],
)
def test_a_finding_is_broken_when_a_machine_or_its_state_says_so(finding, status):
    assert findings(TITLES[0], **finding).status is status


def test_a_best_practice_in_another_language_is_shown_and_warned_of():
    title = "Der Failovercluster muss verfügbar sein"
    check = findings(title, machines=("HCI02",))
    assert (check.id, check.severity) == ("cau-r1", WARNING)
    check = findings(title, rule="1", machines=("HCI02",))
    assert (check.id, check.status, check.severity) == ("cau-available", Status.FAILED, CRITICAL)


def test_no_finding_at_all_is_no_good_news():
    (check,) = [check for check in check_readiness(but(cau_setup=()), RULES) if check.id == "cau-setup"]
    assert (check.status, check.severity) == (Status.UNKNOWN, WARNING)


def test_a_disk_list_that_is_empty_is_told_by_one_check_only():
    assert failed(but(storage=StorageFacts())) == {"storage": CRITICAL}


def test_the_copies_of_a_healthy_disk_do_not_hide_an_unhealthy_one():
    sick = VirtualDisk("V2", "Warning", ("Degraded",), copies=2)
    assert failed(storage(disks=(DISK, sick))) == {"storage": CRITICAL}
