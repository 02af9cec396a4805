"""The file that Kibana or OpenSearch Dashboards imports: one saved object a line, then a line that sums them up."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from enricher.catalog import Catalog
from filters.dashboards import INDEX, derived, description, kibana, opensearch
from filters.dashboards.fields import data_fields
from filters.dashboards.legend import legend

_SUMS: dict[str, dict[str, Any]] = {
    "kibana": {"excludedObjects": [], "excludedObjectsCount": 0},
    "opensearch-dashboards": {},
}
_OBJECTS: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "kibana": kibana.objects,
    "opensearch-dashboards": opensearch.objects,
}
PRODUCTS = tuple(_OBJECTS)


def saved_objects(
    product: str, catalog: Catalog, *, index: str = INDEX, paths: Mapping[str, str] | None = None
) -> bytes:
    """Return the dashboard with all that it needs, ready to be imported.

    Args:
        product: `kibana` or `opensearch-dashboards`.
        catalog: where outcomes, owners and hints come from.
        index: what the data view covers.
        paths: where the vendor's records keep `trunk` and `number`, if not where DIDWW's do.
    """
    dashboard = description.load(catalog, paths)
    fields, scripts = data_fields(catalog, dashboard), derived.lookups(catalog, dashboard)
    found = _OBJECTS[product](dashboard, fields, scripts, index, legend(catalog))
    total = _SUMS[product] | {"exportedCount": len(found), "missingRefCount": 0, "missingReferences": []}
    return b"".join(msgspec.json.encode(line) + b"\n" for line in (*found, total))
