"""Tells Airflow of the timetable that its DAGs name: one that is not registered cannot be stored with them."""

from __future__ import annotations

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from include.hci.airflow.timetable import SelfUpdatingTimetable


class SelfUpdatingPlugin(AirflowPlugin):
    """Registers the schedule of CAU's self-updating role as a timetable."""

    name = "hci_self_updating"
    timetables: ClassVar[list[type]] = [SelfUpdatingTimetable]
