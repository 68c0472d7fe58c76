from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from include.hci.airflow import rolling_run
from include.hci.airflow.feature import (
    ApproveFeatureOperator,
    FeaturePreviewOperator,
    FeatureReadinessOperator,
    FeatureStepOperator,
    RestartForPreviewOperator,
    RollingUpdateOperator,
    feature_options,
    feature_request,
)
from include.hci.airflow.rolling_run import (
    RollingRun,
    RollingRunTrigger,
    pass_on_cancel,
    report_on,
    run_id_of,
    state_of,
)
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings, keep_plan, now
from include.hci.cluster.updates import Update
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.policy.plan_hash import plan_hash
from include.hci.report import events as ev
from include.hci.report.feature_channel_events import ChannelSeen
from include.hci.report.values import UpdateRef
from include.hci.settings import SettingsError
from include.hci.settings.feature import FeatureUpdateRequest

NODES = ("HCI01", "HCI02")
UPDATE = Update("u1", "Feature update to 22H2")
CHILD = RollingRun("rolling_update__demo", "further_updates__run")


def plan(*updates: Update) -> Plan:
    return Plan(
        cluster="demo", made_at=now(), members=NODES, nodes=(PlannedNode("HCI01", updates), PlannedNode("HCI02"))
    )


def context(**params):
    run = SimpleNamespace(run_type="manual", triggering_user_name="ada", clear_number=0)
    return {"run_id": "run", "params": params, "ti": SimpleNamespace(try_number=1), "dag_run": run}


def begin(record, request: FeatureUpdateRequest | None = None):
    record.add(
        ev.RunStarted(
            run_id="run",
            cluster="demo",
            nodes=NODES,
            run_kind="feature-update",
            request=(request or FeatureUpdateRequest()).to_json(),
        ),
        now(),
    )


@pytest.fixture
def record(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    monkeypatch.delenv("HCI_FLEET_FILE", raising=False)
    return open_record("demo", "run")


@pytest.fixture
def airflow(monkeypatch):
    """Airflow's side of a rolling update that another run begins: its state, and what it was begun with."""
    seen = SimpleNamespace(state=None, orders=[])

    def order(run, conf, note):
        seen.orders.append((run, dict(conf)))
        seen.state = "queued"

    monkeypatch.setattr(rolling_run, "state_of", lambda run: seen.state)
    monkeypatch.setattr(rolling_run, "begin", order)
    return seen


def rolling(task_id="further_updates") -> RollingUpdateOperator:
    kind = RestartForPreviewOperator if task_id == "restart_for_preview" else RollingUpdateOperator
    return kind(task_id=task_id, cluster="demo")


def child_ends(outcome="succeeded", run=CHILD):
    """Put a rolling update on record that has ended."""
    child = open_record("demo", run.run_id)
    child.add(ev.RunStarted(run_id=run.run_id, cluster="demo", nodes=("HCI01",)), now())
    updates = (
        {"HCI01": ()} if outcome == "nothing-to-do" else {"HCI01": (UpdateRef(update_id="u", title="Cumulative"),)}
    )
    child.add(ev.Planned(order=("HCI01",), updates=updates), now())
    if outcome == "parked":
        child.add(ev.Parked(why="the window closes"), now())
    if outcome == "cancelled":
        child.add(ev.Concluded(cancelled=True), now())
        return
    child.add(ev.Concluded(), now())


# --- the beginning of a run ---------------------------------------------------------------------------------------------


def test_the_run_is_put_on_record_as_what_it_is_with_what_it_was_told(record, monkeypatch):
    operator = FeatureReadinessOperator(task_id="readiness", cluster="demo", look_first=False)
    with pytest.raises(TaskDeferred):
        operator.execute(context(functional_level="no", vm_names=["SQL01"], reboot_timeout_minutes=90))
    started = record.last(ev.RunStarted).event
    assert started.run_kind == "feature-update"
    assert FeatureUpdateRequest.from_json(started.request) == FeatureUpdateRequest(
        functional_level="no", vm_names=("SQL01",)
    )
    assert started.options["cau_plugin_name"] == ["Microsoft.RollingUpgradePlugin"]
    assert started.options["reboot_timeout_minutes"] == 90


@pytest.mark.parametrize(
    ("params", "says"),
    [({"source": "media"}, "needs media_path"), ({"stage_only": True}, "no effect on a run that is left to CAU")],
)
def test_a_parameter_that_is_wrong_is_named_before_anything_is_put_on_record(record, params, says):
    operator = FeatureReadinessOperator(task_id="readiness", cluster="demo", look_first=False)
    with pytest.raises(SettingsError, match=says):
        operator.execute(context(**params))
    assert record.last(ev.RunStarted) is None


def test_the_plug_in_of_a_form_is_never_asked_for():
    found = feature_options(cluster_settings("demo"), context(cau_plugin_name=["Microsoft.HotfixPlugin"]))
    assert found.cau_plugin_name == ("Microsoft.RollingUpgradePlugin",)
    assert (
        feature_request(context(source="media", media_path=r"\\f\m")).plugin_arguments["PathToSetupMedia"] == r"\\f\m"
    )


# --- what may begin -----------------------------------------------------------------------------------------------------


def step(name: str) -> FeatureStepOperator:
    return FeatureStepOperator(task_id=name, step=name, cluster="demo")


def test_a_step_says_why_it_has_nothing_to_do(record):
    options = feature_options(cluster_settings("demo"), context())
    with pytest.raises(AirflowFailException, match="has not begun"):
        step("builds").admitted(record, options)
    begin(record, FeatureUpdateRequest(post_steps_only=True))
    with pytest.raises(AirflowSkipException, match="post_steps_only"):
        step("builds").admitted(record, options)
    step("functional_level").admitted(record, options)


def test_caus_run_begins_only_on_a_yes_to_this_very_preview(record):
    begin(record)
    options = feature_options(cluster_settings("demo"), context(require_approval=True))
    shown = plan(UPDATE)
    keep_plan(record, shown)
    with pytest.raises(AirflowFailException, match="Nobody has approved"):
        step("run_cau").admitted(record, options)
    record.add(ev.Approved(by="ada", plan_id=plan_hash(shown, options.to_json())), now())
    step("run_cau").admitted(record, options)


def test_where_nothing_is_to_be_installed_nobody_is_asked_and_the_rest_goes_on(record):
    begin(record)
    keep_plan(record, plan())
    for task in (
        FeaturePreviewOperator(task_id="preview", cluster="demo"),
        ApproveFeatureOperator(task_id="approve", cluster="demo"),
    ):
        with pytest.raises(AirflowSkipException, match=r"[Nn]othing (is )?to (be )?install|finds nothing"):
            task.execute(context(require_approval=True))
    options = feature_options(cluster_settings("demo"), context(require_approval=True))
    for name in ("builds", "take_lock", "functional_level"):
        step(name).admitted(record, options)


# --- a rolling update in between ----------------------------------------------------------------------------------------


def test_it_is_begun_once_and_waited_for_in_the_triggerer(record, airflow):
    begin(record)
    with pytest.raises(TaskDeferred) as deferred:
        rolling().execute(context())
    assert airflow.orders == [(CHILD, {"plan_only": False, "stage_only": False})]
    trigger = deferred.value.trigger
    assert (trigger.dag_id, trigger.child_run_id) == (CHILD.dag_id, CHILD.run_id)
    path, arguments = trigger.serialize()
    assert path.endswith("rolling_run.RollingRunTrigger")
    assert RollingRunTrigger(**arguments).serialize() == (path, arguments)
    assert record.last(ev.UpdatingBegun).event.started_run == CHILD.run_id


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_task_that_is_tried_again_finds_what_it_began(record, airflow, state):
    begin(record)
    airflow.state = state
    with pytest.raises(TaskDeferred):
        rolling().execute(context())
    assert airflow.orders == []


def test_a_worker_that_died_before_it_was_begun_begins_it_and_notes_it_once(record, airflow):
    begin(record)
    record.add(ev.UpdatingBegun(step="further_updates", dag_id=CHILD.dag_id, started_run=CHILD.run_id), now())
    with pytest.raises(TaskDeferred):
        rolling().execute(context())
    assert len(airflow.orders) == 1
    assert len(record.all_of(ev.UpdatingBegun)) == 1


def test_one_that_ended_well_lets_the_run_go_on(record, airflow):
    begin(record)
    airflow.state = "success"
    child_ends("nothing-to-do")
    assert rolling().execute(context())["outcome"] == "nothing-to-do"
    ended = record.last(ev.UpdatingEnded).event
    assert (ended.good, ended.outcome, ended.state) == (True, "nothing-to-do", "success")


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("success", "parked"), ("failed", "failed"), ("failed", "nothing-to-do"), ("success", None), ("gone", None)],
)
def test_anything_else_ends_the_run_before_what_cannot_be_taken_back(record, airflow, state, outcome):
    begin(record)
    if outcome:
        child_ends(outcome)
    sender = ["demo", "run", "further_updates"]
    with pytest.raises(AirflowFailException, match="post_steps_only"):
        rolling().go_on(context(), {"state": state, "sender": sender})
    assert record.last(ev.UpdatingEnded).event.good is False
    assert record.last(ev.Failed).event.step == "further_updates"


def test_the_answer_of_another_task_is_not_taken_for_its_own(record, airflow):
    begin(record)
    with pytest.raises(TaskDeferred):
        rolling().go_on(context(), {"state": "success", "sender": ["demo", "run", "restart_for_preview"]})
    assert record.last(ev.UpdatingEnded) is None


def test_the_nodes_that_have_to_restart_for_the_preview_channel_do_so_in_a_rolling_update(record, airflow):
    begin(record, FeatureUpdateRequest(preview_channel=True))
    channels = tuple(ChannelSeen(node=name, channel="ReleasePreview") for name in NODES)
    record.add(ev.PreviewChannelRead(channels=channels), now())
    with pytest.raises(AirflowSkipException, match="No node has to restart"):
        rolling("restart_for_preview").execute(context())
    record.add(ev.PreviewChannelRead(channels=channels, restart=("HCI02",)), now())
    with pytest.raises(TaskDeferred):
        rolling("restart_for_preview").execute(context())
    [(run, conf)] = airflow.orders
    assert (run.run_id, conf["restart_nodes"]) == ("restart_for_preview__run", ["HCI02"])


def test_the_run_id_is_always_the_same_and_never_too_long_for_airflow():
    assert run_id_of("further_updates", "manual__2026-11-07") == "further_updates__manual__2026-11-07"
    long = "x" * 250
    assert run_id_of("further_updates", long) == run_id_of("further_updates", long)
    assert len(run_id_of("restart_for_preview", long)) < 250
    assert run_id_of("further_updates", long) != run_id_of("further_updates", f"{long[:-1]}y")


# --- waiting for it -----------------------------------------------------------------------------------------------------


def watch(monkeypatch, *states):
    """Run the trigger while Airflow answers with ``states``; return its events and what it has published."""
    answers, published = list(states), []

    def state(run):
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    async def publish(task_instance, value):
        published.append(value["text"])

    monkeypatch.setattr(rolling_run, "state_of", state)
    monkeypatch.setattr(rolling_run, "publish", publish)
    trigger = RollingRunTrigger(CHILD.dag_id, CHILD.run_id, "demo", "run", ["demo", "run", "t"], 0.0, 0.01)
    trigger._task_instance = SimpleNamespace(dag_id="d", run_id="run", task_id="further_updates", map_index=-1)

    async def all_events():
        return [event.payload async for event in trigger.run()]

    return asyncio.run(asyncio.wait_for(all_events(), 20)), published


@pytest.mark.parametrize(("last", "told"), [("success", "success"), ("failed", "failed"), (None, "gone")])
def test_the_trigger_ends_with_the_run_and_says_how_it_goes_meanwhile(record, monkeypatch, last, told):
    begin(record)
    [event], published = watch(monkeypatch, "queued", "running", last)
    assert (event["state"], event["sender"]) == (told, ["demo", "run", "t"])
    assert "(queued). It has not begun yet." in published[0]


def test_an_airflow_that_does_not_answer_is_asked_again(record, monkeypatch):
    begin(record)
    [event], published = watch(monkeypatch, RuntimeError("503"), RuntimeError("503"), "success")
    assert event["state"] == "success"
    assert len(published) == 1
    assert "tried again" in published[0]


def test_cancelling_the_run_cancels_the_rolling_update_that_it_waits_for(record, monkeypatch):
    begin(record)
    child = open_record("demo", CHILD.run_id)
    record.add(ev.OperatorAsked(action="cancel", by="ada"), now())
    assert pass_on_cancel("demo", "run", CHILD) == ""
    child.add(ev.RunStarted(run_id=CHILD.run_id, cluster="demo", nodes=NODES), now())
    _, published = watch(monkeypatch, "running", "running", "failed")
    assert "as asked by ada" in published[0]
    [asked] = open_record("demo", CHILD.run_id).all_of(ev.OperatorAsked)
    assert (asked.event.action, asked.event.by) == ("cancel", "ada")


def test_a_run_that_was_not_put_on_record_has_no_report(record):
    assert report_on("demo", CHILD) is None


def test_airflow_is_asked_for_this_one_run(monkeypatch):
    from airflow.sdk.api.datamodels._generated import DagRunState

    asked = []
    task = "airflow.sdk.execution_time.task_runner.RuntimeTaskInstance"
    counts = iter((0, 1))
    monkeypatch.setattr(f"{task}.get_dr_count", lambda **arguments: asked.append(arguments) or next(counts))
    monkeypatch.setattr(f"{task}.get_dagrun_state", lambda **arguments: DagRunState.RUNNING)
    assert [state_of(CHILD), state_of(CHILD)] == [None, "running"]
    assert asked[0] == {"dag_id": CHILD.dag_id, "run_ids": [CHILD.run_id]}


@pytest.mark.parametrize("answer", ["ok", "exists", "refused", "paused"])
def test_beginning_a_run_that_exists_is_no_failure(monkeypatch, answer):
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse, OKResponse

    answers = {
        "ok": OKResponse(ok=True),
        "exists": ErrorResponse(error=ErrorType.DAGRUN_ALREADY_EXISTS),
        "refused": ErrorResponse(error=ErrorType.GENERIC_ERROR),
    }
    sent = []
    supervisor = SimpleNamespace(send=lambda order: sent.append(order) or answers[answer])
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    is_paused = SimpleNamespace(is_paused=answer == "paused")
    monkeypatch.setattr(task_runner.RuntimeTaskInstance, "get_dag", lambda dag_id: is_paused)
    if answer in ("ok", "exists"):
        rolling_run.begin(CHILD, {"plan_only": False}, "a note")
        assert (sent[0].dag_id, sent[0].run_id, sent[0].conf) == (CHILD.dag_id, CHILD.run_id, {"plan_only": False})
        return
    with pytest.raises(AirflowFailException if answer == "paused" else RuntimeError):
        rolling_run.begin(CHILD, {}, "a note")
    assert bool(sent) is (answer == "refused")
