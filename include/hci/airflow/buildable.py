"""Whether Airflow takes what the DAGs of a cluster are made of: their forms, their schedule and their deadline."""

from __future__ import annotations

from airflow.sdk import Param
from jsonschema import Draft202012Validator

from include.hci.airflow.cau_remote_params import cau_remote_params
from include.hci.airflow.cau_self import cau_self_params
from include.hci.airflow.feature_params import feature_params
from include.hci.airflow.late import warning_of
from include.hci.airflow.offline import offline_params
from include.hci.airflow.params import run_params
from include.hci.airflow.schedule import timetable_of
from include.hci.settings import ClusterSettings, Fleet, SettingsProblem


def problems_of(fleet: Fleet) -> tuple[SettingsProblem, ...]:
    """Return a problem for each cluster of ``fleet`` that Airflow does not take although the fleet file's own checks did.

    The DAGs of such a cluster may be missing; those of the others are there.
    """
    rolling = {cluster.name for cluster in fleet.rolling}
    found = []
    for name, cluster in fleet.clusters.items():
        try:
            _try_out(cluster, rolls=name in rolling)
        except Exception as error:
            said = f"Airflow cannot make every DAG of cluster {name} ({type(error).__name__}): {error}"
            found.append(SettingsProblem(fleet.file, None, f"clusters.{name}", name, said))
    return tuple(found)


def _try_out(cluster: ClusterSettings, *, rolls: bool) -> None:
    for form in (cau_remote_params, cau_self_params, feature_params):
        _check(form(cluster))
    if not rolls:
        return
    for form in (run_params, offline_params):
        _check(form(cluster))
    if (timetable := timetable_of(cluster)) is not None:
        timetable.validate()
    warning_of(cluster)


def _check(form: dict[str, Param]) -> None:
    """Raise ValueError where a value that the form begins with is one that it refuses."""
    for name, param in form.items():
        # As Airflow does, less its look at the schema itself, which takes fifty times as long.
        error = next(Draft202012Validator(param.schema).iter_errors(param.value), None)
        if error is not None:
            raise ValueError(f"{name}: {error.message}")
