"""The settings: the fleet file as typed, checked models. Errors name the file, the line and the key."""

from include.hci.settings.calendar import Blackout, MaintenanceWindow
from include.hci.settings.cluster import ClusterSettings, NodeSettings, Pacing
from include.hci.settings.fleet import Fleet, fleet_path, load_fleet
from include.hci.settings.hooks import HookCommand
from include.hci.settings.problems import SettingsError, SettingsProblem
from include.hci.settings.profile import UpdatingRunProfile, default_max_failed_nodes
from include.hci.settings.run_options import RunOptions
from include.hci.settings.schedule import Schedule, ScheduleLine
from include.hci.settings.selection import UpdateSelection

__all__ = [
    "Blackout",
    "ClusterSettings",
    "Fleet",
    "HookCommand",
    "MaintenanceWindow",
    "NodeSettings",
    "Pacing",
    "RunOptions",
    "Schedule",
    "ScheduleLine",
    "SettingsError",
    "SettingsProblem",
    "UpdateSelection",
    "UpdatingRunProfile",
    "default_max_failed_nodes",
    "fleet_path",
    "load_fleet",
]
