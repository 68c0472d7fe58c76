"""What a run that is left to CAU does itself: CredSSP, beginning CAU's run, stopping it, and recovering what one left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from include.hci.cluster.cau_runs import (
    SCAN_PARAMETERS,
    CauScan,
    get_last_report_id,
    invoke_cau_scan,
    invoke_upgrade_scan,
    leave_cau_run,
    recover_cau,
    stop_cau_run,
)
from include.hci.cluster.credssp import disable_credssp_server, enable_credssp_server
from include.hci.cluster.facade import Cluster
from include.hci.cluster.firewall import (
    REMOTE_SHUTDOWN,
    FirewallRule,
    forbid_remote_shutdown,
    get_firewall_rules,
    restore_rules,
    show_rules,
)
from include.hci.cluster.nodes import get_cluster_nodes
from include.hci.cluster.witness import spelled
from include.hci.policy.plan_hash import NowFacts, differences
from include.hci.powershell.detached import LeavingShell
from include.hci.powershell.errors import OutcomeUnknown, RemotingError
from include.hci.powershell.values import Value
from include.hci.report import events as ev
from include.hci.settings import RunOptions
from include.hci.settings.feature import ROLLING_UPGRADE
from include.hci.steps.cau_run_access import (
    NoCoordinator,
    ask,
    delegating_shell,
    get_computer_name,
    host_shell,
    readers,
)
from include.hci.steps.cau_run_readiness import run_parameters
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Scene

CREDSSP = "CredSSP"
FIREWALL_RULES = "the firewall rules 'Remote Shutdown'"
CAU_RUN = "CAU's Updating Run of "


class PlanOutdated(RemotingError):
    """What a person approved is not what CAU would install now."""

    title = "The approved preview is out of date"
    default_meaning = "what was approved is not what CAU would install now; nothing was begun"
    default_next_action = "Start another run, so that the preview fits the cluster, and have it approved."


@dataclass(frozen=True, slots=True)
class EnableCredSsp:
    """Let the management host called ``host`` accept delegated credentials; ``step`` is the one that needs them first."""

    host: str
    step: ev.StepName = "prepare"

    def describe(self) -> str:
        """Return the command."""
        return f"Enable-WSManCredSSP -Role Server on {self.host}"

    def perform(self, scene: Scene) -> None:
        """Switch it on; it was found off."""
        change = ev.Changing(
            step=self.step, node=self.host, change="credssp-server", subject=CREDSSP, before="off", after="on"
        )
        scene.record.add(change, scene.clock())
        enable_credssp_server(host_shell(scene.cluster))


@dataclass(frozen=True, slots=True)
class DisableCredSsp:
    """Let the management host called ``host`` accept none any more."""

    host: str

    def describe(self) -> str:
        """Return the command."""
        return f"Disable-WSManCredSSP -Role Server on {self.host}"

    def perform(self, scene: Scene) -> None:
        """Switch it off."""
        disable_credssp_server(host_shell(scene.cluster))


@dataclass(frozen=True, slots=True)
class RecoverCau:
    """Override what an earlier run left behind."""

    state: str
    evidence: tuple[str, ...]
    allowed_by: str

    def describe(self) -> str:
        """Return the command."""
        return "Invoke-CauRun -ForceRecovery"

    def perform(self, scene: Scene) -> None:
        """Order it; CAU asks nobody, so that everything that could be asked was asked before."""
        event = ev.CauRecovering(state=self.state, evidence=self.evidence, allowed_by=self.allowed_by)
        scene.record.add(event, scene.clock())
        recover_cau(delegating_shell(scene.cluster), scene.cluster.name)


@dataclass(slots=True)
class Found:
    """What a scan gave, once it was made."""

    scan: CauScan | None = None


@dataclass(frozen=True, slots=True)
class ScanCluster:
    """Ask CAU's plug-ins what they would install on every node."""

    context: StepContext
    found: Found

    def describe(self) -> str:
        """Return the command."""
        return f"Invoke-CauScan -ClusterName {self.context.cluster}"

    def perform(self, scene: Scene) -> None:
        """Scan; the result is in ``found``."""
        self.found.scan = scan_cluster(scene.cluster, self.context)


def scan_cluster(cluster: Cluster, context: StepContext) -> CauScan:
    """Return what CAU's plug-ins find now under the options of this run."""
    wanted = {name: value for name, value in run_parameters(context.options).items() if name in SCAN_PARAMETERS}
    ask_for = invoke_upgrade_scan if is_upgrade(context.options) else invoke_cau_scan
    return ask_for(delegating_shell(cluster), cluster.name, wanted)  # type: ignore[arg-type]


def is_upgrade(options: RunOptions) -> bool:
    """Tell whether the run brings a feature update from Windows Update and nothing else."""
    plugins, arguments = options.cau_plugin_name, options.cau_plugin_arguments
    connected = [value for key, value in (arguments[0] if arguments else {}).items() if key.lower() == "wuconnected"]
    return [name.lower() for name in plugins] == [ROLLING_UPGRADE.lower()] and [
        value.lower() for value in connected
    ] == ["true"]


@dataclass(frozen=True, slots=True)
class StartCauRun:
    """Begin CAU's run on the management host, in a session that outlives this program.

    ``closes`` is when the present maintenance window ends: CAU is told to stop by then. ``lasts`` is how long the session is
    kept at the most.
    """

    context: StepContext
    lasts: timedelta
    closes: datetime | None = None

    def describe(self) -> str:
        """Return the command."""
        return f"Invoke-CauRun -ClusterName {self.context.cluster}"

    def perform(self, scene: Scene) -> None:
        """Begin it; that this was tried, and under which name the session lives, is on record before."""
        shell, cluster = delegating_shell(scene.cluster), scene.cluster.name
        if not isinstance(shell, LeavingShell):
            raise NoCoordinator("the way to it has no session that outlives this program")
        self._check_approval(scene)
        host = get_computer_name(host_shell(scene.cluster))
        last = ask(readers(scene.cluster), lambda reader: get_last_report_id(reader, cluster))
        parameters, session = self._parameters(scene.clock()), uuid4()
        if self.context.options.enable_firewall_rules:
            announce_firewall(scene)
        for change, subject, after in (
            # Taken back from the last to the first: the run has to be over before its session may end.
            ("remote-session", str(session), "kept on the machine"),
            ("cau-run", f"{CAU_RUN}{cluster}", "in progress"),
        ):
            announced = ev.Changing.model_validate(
                {
                    "step": "run_cau",
                    "node": host,
                    "change": change,
                    "subject": subject,
                    "before": "none",
                    "after": after,
                }
            )
            scene.record.add(announced, scene.clock())
        shown = {name: str(value) for name, value in parameters.items()}
        starting = ev.CauRunStarting(host=host, session=str(session), last_report=last, parameters=shown)
        scene.record.add(starting, scene.clock())
        try:
            leave_cau_run(shell, cluster, parameters, session, self.lasts)
        except OutcomeUnknown:
            raise
        except RemotingError as error:
            not_started(scene, starting, error.detail)
            raise

    def _parameters(self, now: datetime) -> Mapping[str, Value]:
        parameters = run_parameters(self.context.options)
        if self.closes is not None:
            left = self.closes - now
            stop = self.context.options.stop_after
            parameters["StopAfter"] = left if stop is None or left < stop else stop
        return parameters  # type: ignore[return-value]

    def _check_approval(self, scene: Scene) -> None:
        """Raise where the run was approved for something else than CAU would do now: it scans again by itself."""
        if not self.context.options.require_approval:
            return
        plan, scan = self.context.require_plan(), scan_cluster(scene.cluster, self.context)
        nodes = spelled(get_cluster_nodes(scene.cluster.any()), scene.cluster)
        offered = {
            node.name: [update.update_id for update in scan.of(node.name)] for node in plan.nodes if not node.skip
        }
        if found := differences(plan, NowFacts(nodes, offered=offered)):
            raise PlanOutdated("; ".join(found), retry_safe=False)


def announce_firewall(scene: Scene) -> None:
    """Put on record for every node whose firewall does not let CAU restart it yet that CAU is going to change that.

    Every rule is put down as it was found: one that was enabled stays so when the others are disabled again.
    """
    for name in scene.cluster.nodes:
        try:
            rules = get_firewall_rules(scene.cluster.on(name), REMOTE_SHUTDOWN)
        except RemotingError:
            continue  # CAU cannot reach that node either
        if all(rule.enabled for rule in rules):
            continue
        change = ev.Changing(
            step="run_cau",
            node=name,
            change="firewall-group",
            subject=FIREWALL_RULES,
            before=show_rules(rules),
            after="enabled",
        )
        scene.record.add(change, scene.clock())


@dataclass(frozen=True, slots=True)
class DisableFirewallRules:
    """Disable the rules on ``node`` again that CAU was told to enable."""

    node: str

    def describe(self) -> str:
        """Return the command."""
        return f"Disable-NetFirewallRule for {FIREWALL_RULES} on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Order it; that they were to be enabled is on record."""
        forbid_remote_shutdown(scene.cluster.on(self.node))


@dataclass(frozen=True, slots=True)
class RestoreFirewallRules:
    """Set the rules on ``node`` as they were found."""

    node: str
    rules: tuple[FirewallRule, ...]

    def describe(self) -> str:
        """Return the command."""
        return f"Set-NetFirewallRule for {FIREWALL_RULES} on {self.node}, as they were found"

    def perform(self, scene: Scene) -> None:
        """Order it."""
        restore_rules(scene.cluster.on(self.node), self.rules)


def not_started(scene: Scene, starting: ev.CauRunStarting, why: str) -> None:
    """Put on record that nothing came of a start that was announced."""
    scene.record.add(ev.CauRunNotStarted(session=starting.session, why=why), scene.clock())
    taken_back(scene, "cau-run", starting.host, f"{CAU_RUN}{scene.cluster.name}")
    taken_back(scene, "remote-session", starting.host, starting.session)


def taken_back(scene: Scene, change: ev.ChangeKind, host: str, subject: str, step: ev.StepName = "run_cau") -> None:
    """Put on record that a change of this run is no more."""
    event = ev.ChangeTakenBack(step=step, node=host, change=change, subject=subject)
    scene.record.add(event, scene.clock())


@dataclass(frozen=True, slots=True)
class GiveUpStart:
    """Note that a start of which nobody heard came to nothing; its session, if there is one, is ended first."""

    starting: ev.CauRunStarting
    why: str

    def describe(self) -> str:
        """Return it as one line."""
        return f"end the session {self.starting.session} on {self.starting.host}, in which nothing began"

    def perform(self, scene: Scene) -> None:
        """End the session, so that nothing can begin there any more, and note it."""
        end_session(scene.cluster, UUID(self.starting.session))
        not_started(scene, self.starting, self.why)


@dataclass(frozen=True, slots=True)
class StopCauRun:
    """Tell CAU's run to stop, because ``why``."""

    run_id: str
    why: str
    step: ev.StepName = "run_cau"

    def describe(self) -> str:
        """Return the command."""
        return "Stop-CauRun"

    def perform(self, scene: Scene) -> None:
        """Order it; what is under way on a node is brought to an end by CAU."""
        event = ev.CauRunStopping(step=self.step, run_id=self.run_id, why=self.why)
        scene.record.add(event, scene.clock())
        cluster = scene.cluster.name
        ask(readers(scene.cluster), lambda shell: stop_cau_run(shell, cluster))


@dataclass(frozen=True, slots=True)
class EndSession:
    """End the session in which CAU's run lived, which is over."""

    host: str
    session: str
    events: tuple[ev.RunEvent, ...] = field(default_factory=tuple)

    def describe(self) -> str:
        """Return it as one line."""
        return f"end the session {self.session} on {self.host}"

    def perform(self, scene: Scene) -> None:
        """End it and note that."""
        end_session(scene.cluster, UUID(self.session))
        taken_back(scene, "remote-session", self.host, self.session, "conclude")
        for event in self.events:
            scene.record.add(event, scene.clock())


def end_session(cluster: Cluster, session: UUID) -> None:
    """End a session on the management host; raises what the shell raises."""
    shell = host_shell(cluster)
    if not isinstance(shell, LeavingShell):
        raise NoCoordinator("the way to it cannot end sessions there")
    shell.end_session(session)
