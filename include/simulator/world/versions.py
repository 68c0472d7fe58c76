"""What differs between the operating system versions that a cluster can run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OsVersion:
    """One operating system version.

    ``auto_maintenance``: a drain puts the node's disks into storage maintenance mode and a resume takes them out again
    (azure-stack-docs, maintain-servers: by hand up to 20H2 and Windows Server 2019). ``cau_feature_updates``: the methods of
    MSFT_CAUNode take FeatureUpdatesOnly (class dump of 23H2; absent on 2019, unconfirmed and so left out in between).
    ``separate_ssu``: the servicing stack comes as an update of its own. ``docset`` names the cmdlet reference that applies.
    ``vm_versions``: the virtual machine configuration versions that its hosts take, the default one last (windowsserverdocs,
    upgrade-virtual-machine-version). ``pool_number`` orders the versions that a storage pool can be raised to.
    """

    key: str
    caption: str
    edition_id: str
    build: int
    ubr: int
    next_build: int
    display_version: str
    functional_level: int
    upgrade_version: int
    pool_version: str
    docset: str
    auto_maintenance: bool = True
    cau_feature_updates: bool = False
    separate_ssu: bool = False
    unique_node_id: bool = False
    vm_versions: tuple[str, ...] = ("8.0", "9.0", "10.0")
    pool_number: int = 2022
    parallel_migrations_property: bool = True

    @property
    def vm_version(self) -> str:
        """The configuration version that a new virtual machine gets, the highest that the host takes."""
        return self.vm_versions[-1]

    @property
    def cluster_version(self) -> tuple[int, int]:
        """What a cluster of such nodes can be raised to: functional level and upgrade version, to be compared as a pair."""
        return self.functional_level, self.upgrade_version

    @property
    def version(self) -> str:
        """The version as Win32_OperatingSystem tells it."""
        return f"10.0.{self.build}"


_HCI = "Microsoft Azure Stack HCI"
_HCI_EDITION = "ServerAzureStackHCICor"

VERSIONS = {
    version.key: version
    for version in (
        OsVersion(
            "WS2019",
            "Microsoft Windows Server 2019 Datacenter",
            "ServerDatacenter",
            17763,
            5122,
            20348,
            "1809",
            10,
            1,
            "Windows Server 2019",
            "2019",
            auto_maintenance=False,
            separate_ssu=True,
            vm_versions=("8.0", "9.0"),
            pool_number=2019,
            parallel_migrations_property=False,
        ),
        OsVersion(
            "20H2",
            _HCI,
            _HCI_EDITION,
            17784,
            1737,
            20348,
            "20H2",
            10,
            2,
            "Windows Server 2019",
            "2019",
            auto_maintenance=False,
            separate_ssu=True,
            vm_versions=("8.0", "9.0"),
            pool_number=2019,
            parallel_migrations_property=False,
        ),
        OsVersion("21H2", _HCI, _HCI_EDITION, 20348, 2113, 20349, "21H2", 12, 1, "Windows Server 2022", "2022"),
        OsVersion(
            "WS2022",
            "Microsoft Windows Server 2022 Datacenter",
            "ServerDatacenter",
            20348,
            2113,
            26100,
            "21H2",
            11,
            4,
            "Windows Server 2022",
            "2022",
        ),
        OsVersion("22H2", _HCI, _HCI_EDITION, 20349, 2340, 25398, "22H2", 12, 4, "Windows Server 2022", "2022"),
        OsVersion(
            "23H2",
            _HCI,
            _HCI_EDITION,
            25398,
            709,
            26100,
            "23H2",
            12,
            32774,
            "Azure Stack HCI 23H2",
            "2022",
            cau_feature_updates=True,
            unique_node_id=True,
            pool_number=2023,
        ),
        OsVersion(
            "24H2",
            _HCI,
            _HCI_EDITION,
            26100,
            2314,
            0,
            "24H2",
            12,
            32776,
            "Windows Server 2025",
            "2025",
            cau_feature_updates=True,
            unique_node_id=True,
            vm_versions=("8.0", "9.0", "10.0", "12.0"),
            pool_number=2025,
        ),
        OsVersion(
            "WS2025",
            "Microsoft Windows Server 2025 Datacenter",
            "ServerDatacenter",
            26100,
            2314,
            0,
            "24H2",
            12,
            32776,
            "Windows Server 2025",
            "2025",
            cau_feature_updates=True,
            unique_node_id=True,
            vm_versions=("8.0", "9.0", "10.0", "12.0"),
            pool_number=2025,
        ),
    )
}


_BY_BUILD = {(version.edition_id, version.build): version for version in VERSIONS.values()}


def os_version(key: str) -> OsVersion:
    """Return the version called ``key``; an unknown one raises ValueError that names those there are."""
    for name, version in VERSIONS.items():
        if name.lower() == key.lower():
            return version
    raise ValueError(f"There is no operating system version {key!r}; there are {', '.join(VERSIONS)}.")


def running(installed: OsVersion, build: int) -> OsVersion:
    """Return the version that a machine runs by now: that of ``build`` in the edition of ``installed``, else ``installed``.

    Build 20348 is both Windows Server 2022 and 21H2, 26100 both Windows Server 2025 and 24H2: the edition tells them apart.
    """
    return _BY_BUILD.get((installed.edition_id, build), installed)
