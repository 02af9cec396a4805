"""Names of the saved objects, the same in each export, so that an import replaces what an earlier one brought."""

from typing import Any

import msgspec

from filters.dashboards.description import Dashboard

DATA_VIEW = "sipsense-calls"
SEARCH = "sipsense-calls-in-trouble"
CONTROLS = "sipsense-control"
# The reference by which a search finds its data view.
SEARCH_INDEX = "kibanaSavedObjectMeta.searchSourceJSON.index"


def dashboard_id(dashboard: Dashboard) -> str:
    """Return the id of the dashboard."""
    return f"sipsense-dashboard-{dashboard.id}"


def text(value: Any) -> str:
    """Return a value as the JSON text that saved objects hold in their attributes."""
    return msgspec.json.encode(value).decode()
