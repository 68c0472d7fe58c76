"""The report of a run as a tab of its page in the Airflow UI, and the fleet's page in its navigation."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

PREFIX = "/hci"
#: Where the pages are to a browser: Airflow may be served below a path of its own (``api.base_url``).
SEEN_AT = f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PREFIX}"


def _app() -> object:
    # The web parts are heavy and every worker loads plugins; only the API server needs them.
    from include.hci.airflow.report_app import report_app

    return report_app()


def _is_api_server() -> bool:
    import sys

    return any("api-server" in word or "api_fastapi" in word for word in sys.argv)


class RunReportPlugin(AirflowPlugin):
    """Serves ``/hci/report/<dag>/<run>`` to people who may see the DAG's runs, and shows it beside the run's details.

    ``/hci/status`` is a page of its own, without ``url_route``: in the frame that Airflow would put it into its links to DAGs
    lead nowhere. In a menu, because Airflow 3.3 draws such an entry beside the menus as a button that does nothing.
    """

    name = "hci_run_report"
    fastapi_apps: ClassVar[list[dict[str, object]]] = (
        [{"app": _app(), "url_prefix": PREFIX, "name": "Cluster update reports"}] if _is_api_server() else []
    )
    external_views: ClassVar[list[dict[str, str]]] = [
        {
            "name": "Update report",
            "href": f"{SEEN_AT}/report/{{DAG_ID}}/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "hci-update-report",
        },
        {"name": "Cluster updates", "href": f"{SEEN_AT}/status", "destination": "nav", "category": "browse"},
    ]
