"""Cluster validation before a feature update and after it: failures keep it from being begun, at its end what is new is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from include.hci.cluster.facade import Cluster
from include.hci.cluster.files import read_text
from include.hci.cluster.validation import ClusterValidation, test_cluster
from include.hci.cluster.validation_report import APPROVED, TestResult, named, read_flags, read_report
from include.hci.powershell.errors import RemotingError
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import BaseStep
from include.hci.steps.cau_run_access import feature_request
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Clock, Decision, Done, Scene, Stop
from include.hci.steps.feature_reach import Reach, no_reach, open_reach, read_reach
from include.hci.steps.readings_cluster import VALIDATED

#: A report of sixteen nodes has a few megabytes; what is larger is left where it lies.
MOST_BYTES = 16 * 1024 * 1024
#: As much of what the cmdlet says beside its report goes on record.
_MOST_SAID, _MOST_WORDS = 50, 400


@dataclass(frozen=True, slots=True)
class Validation:
    """What one validation gave: its report, where that could be read, and what it said beside it."""

    host: str
    found: ClusterValidation
    results: tuple[TestResult, ...] = ()
    kept: str = ""
    not_kept: str = ""

    @property
    def flags(self) -> frozenset[str]:
        """How it came out as a whole, in identifiers."""
        return read_flags(self.found.warnings)

    @property
    def judged_by(self) -> str:
        """What the verdict goes by: the rows of the report, else the flags, else that nothing was said at all."""
        if self.results:
            return "report"
        if self.flags:
            return "flags"
        return "silence" if self.found.report and not self.found.warnings else "nothing"

    @property
    def failed(self) -> tuple[str, ...]:
        """The tests that failed; where only the whole is known, that."""
        if self.results or self.judged_by != "flags" or self.flags & APPROVED:
            return named(self.results, "failed")
        return (f"the cluster as a whole ({', '.join(sorted(self.flags))})",)

    @property
    def not_run(self) -> tuple[str, ...]:
        """The tests that were to be run and were not."""
        return named(self.results, "not-run")

    @property
    def warned(self) -> tuple[str, ...]:
        """The tests with warnings."""
        return named(self.results, "warned")

    @property
    def findings(self) -> tuple[str, ...]:
        """Everything that is not well, each with how it came out."""
        rows = (("failed", self.failed), ("not run", self.not_run), ("warning", self.warned))
        return tuple(f"{name} ({how})" for how, names in rows for name in names)


@dataclass(slots=True)
class Outcome:
    """What the validation gave, once it was made."""

    made: Validation | None = None


@dataclass(frozen=True, slots=True)
class ValidateFacts:
    """From where the nodes are reached, and what the validation gave."""

    reach: Reach
    made: Validation | None = None


class Validate(BaseStep[ValidateFacts]):
    """Runs Test-Cluster on the management host and refuses where a test failed or was not run."""

    name: ev.StepName = "validate"
    moment = "before"

    def __init__(self, context: StepContext, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__(context)
        self.clock = clock
        self.outcome = Outcome()

    def observe(self, cluster: Cluster) -> ValidateFacts:
        """Look for the machine from which every node is reached; the validation itself is an action."""
        return ValidateFacts(read_reach(cluster) if self.outcome.made is None else Reach(), self.outcome.made)

    def decide(self, facts: ValidateFacts, now: datetime) -> Decision:
        """Validate once, then judge."""
        if facts.made is None:
            if opening := open_reach(facts.reach, feature_request(self.context), self.name):
                return opening
            if facts.reach.shell is None:
                return Stop(no_reach(facts.reach, "Test-Cluster"))
            run = RunValidation(self.name, self.moment, facts.reach.host, facts.reach.shell, self.outcome)
            return Act(run, "the vendor asks for it before an update and after it")
        return self.judge(facts.made)

    def judge(self, made: Validation) -> Decision:
        """Return what it means for the run."""
        if made.judged_by == "nothing":
            return Stop(_unread(made, "Nothing was installed."))
        if made.failed or made.not_run:
            return Stop(_refusal(made))
        return Done("validated", _say(made))

    def events(self, facts: ValidateFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record what was found."""
        if facts.made is None or not isinstance(decision, Done | Stop):
            return ()
        return (self.validated(facts.made),)

    def may_cancel(self, facts: ValidateFacts, decision: Decision) -> bool:
        """The tests leave nothing behind."""
        return True

    def validated(self, made: Validation) -> ev.ClusterValidated:
        """Return what goes on record."""
        before = self.before()
        new, gone = ((), ()) if before is None else compare(before, made)
        return ev.ClusterValidated(
            step=self.name,
            moment=self.moment,  # type: ignore[arg-type]
            host=made.host,
            report=made.found.report,
            kept=made.kept,
            not_kept=made.not_kept,
            judged_by=made.judged_by,  # type: ignore[arg-type]
            tests=len(made.results),
            failed=made.failed,
            not_run=made.not_run,
            warned=made.warned,
            said=tuple(" ".join(each.split())[:_MOST_WORDS] for each in made.found.warnings[:_MOST_SAID]),
            new=new,
            gone=gone,
        )

    def before(self) -> ev.ClusterValidated | None:
        """Return what was found before the update; None in the step before it."""
        return None


class ValidateAfter(Validate):
    """Validates once more, and stops where a test fails that did not fail before."""

    name: ev.StepName = "validate_after"
    moment = "after"

    def before(self) -> ev.ClusterValidated | None:
        """Return what was found before the update, where this run did that."""
        found = [
            each.event for each in self.context.record.all_of(ev.ClusterValidated) if each.event.moment == "before"
        ]
        return found[-1] if found else None

    def judge(self, made: Validation) -> Decision:
        """Everything is installed and raised by now: what is new is for a person, what was there before is said."""
        if made.judged_by == "nothing":
            return Stop(_unread(made, "The update itself is through."))
        before = self.before()
        known = set() if before is None else {*before.failed, *before.not_run}
        worse = [name for name in (*made.failed, *made.not_run) if name not in known]
        if worse:
            return Stop(_worse(made, worse, compared=before is not None))
        said = _say(made)
        if before is None:
            return Done("validated", f"{said}; there is no validation of this run before the update to compare it with")
        new, gone = compare(before, made)
        said += f"; new: {', '.join(new)}" if new else "; nothing is new"
        return Done("validated", said + (f"; gone: {', '.join(gone)}" if gone else ""), {"new": list(new)})


def compare(before: ev.ClusterValidated, made: Validation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which findings are new, and which are gone."""
    rows = (("failed", before.failed), ("not run", before.not_run), ("warning", before.warned))
    then = [f"{name} ({how})" for how, names in rows for name in names]
    return (
        tuple(each for each in made.findings if each not in then),
        tuple(each for each in then if each not in made.findings),
    )


@dataclass(frozen=True, slots=True)
class RunValidation:
    """Run Test-Cluster on ``host`` and keep its report."""

    step: ev.StepName
    moment: str
    host: str
    shell: Shell
    outcome: Outcome
    categories: Sequence[str] = field(default=VALIDATED)

    def describe(self) -> str:
        """Return the command."""
        return f"Test-Cluster -Include {', '.join(self.categories)} on {self.host}"

    def perform(self, scene: Scene) -> None:
        """Validate; the result is in ``outcome``."""
        intent = ev.ClusterValidating(step=self.step, host=self.host, categories=tuple(self.categories))
        scene.record.add(intent, scene.clock())
        found = test_cluster(self.shell, self.categories, scene.cluster.name)
        text, why = _read(self.shell, found)
        kept = ""
        if text:
            kept = f"validation/{self.moment}.htm"
            scene.record.keep(kept, text)
        self.outcome.made = Validation(self.host, found, read_report(text), kept, why)


def _read(shell: Shell, found: ClusterValidation) -> tuple[str, str]:
    """Return the text of the report, or why it was not read."""
    if not found.report:
        return "", "Test-Cluster named no report"
    if found.length is not None and found.length > MOST_BYTES:
        return "", f"it has {found.length} bytes, and no more than {MOST_BYTES} are read"
    try:
        text = read_text(shell, found.report)
    except RemotingError as error:
        return "", error.detail
    return (text, "") if text else ("", "there is no such file, or nothing in it")


def _say(made: Validation) -> str:
    counted = (
        f"{len(made.results)} results" if made.results else "the flags of the whole" if made.flags else "no warning"
    )
    listed = f"; to be known: {', '.join(made.findings)}" if made.findings else ""
    return f"cluster validation passed ({counted}){listed}; report: {made.found.report} on {made.host}"


def _unread(made: Validation, nothing: str) -> Problem:
    why = made.not_kept or "it has no row with a result that is known"
    return Problem(
        title=f"What cluster validation found cannot be told: the report {made.found.report or '(none)'} was not read: {why}.",
        meaning=f"Without its report nobody knows whether a test failed or whether any was run. {nothing}",
        next_action=f"Look at the report on {made.host}, mend what keeps it from being read, then clear this task.",
        retry_is_safe=True,
    )


def _refusal(made: Validation) -> Problem:
    said = [f"{len(made.failed)} failed: {', '.join(made.failed)}"] if made.failed else []
    said += [f"{len(made.not_run)} not run: {', '.join(made.not_run)}"] if made.not_run else []
    return Problem(
        title=f"Cluster validation does not pass: {'; '.join(said)}.",
        meaning="The vendor asks for its failures to be resolved before an update. Nothing was installed.",
        next_action=f"Read the report ({made.found.report} on {made.host}), resolve what failed, then clear this task.",
        retry_is_safe=True,
    )


def _worse(made: Validation, worse: Sequence[str], *, compared: bool) -> Problem:
    than = " that did not fail before the update" if compared else ""
    return Problem(
        title=f"Cluster validation finds failures{than}: {', '.join(worse)}.",
        meaning="The update itself is through: the nodes have the new version, and the cluster works with it.",
        next_action=f"Read the report ({made.found.report} on {made.host}) and resolve what failed; then clear this task.",
        retry_is_safe=True,
    )
