"""Shows what is wrong with the fleet file as an import error in the UI. It never makes a DAG.

A cluster with a problem has no DAG until it is mended; every other cluster goes on. One whose options only Cluster-Aware Updating
acts on has no rolling update until they are taken away. (Airflow takes every DAG of a file with an import error for gone, so this
file has none; and it reads a file as DAGs only when it mentions airflow and dag.)
"""

from __future__ import annotations

from include.hci.airflow.buildable import problems_of
from include.hci.settings import SettingsError, fleet_path, load_fleet

fleet = load_fleet(fleet_path())
problems = (*fleet.problems, *fleet.refusals, *problems_of(fleet))
if problems:
    raise SettingsError(problems)
