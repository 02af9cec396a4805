"""What a SIP code, a reason text and a disconnect initiator in a call log mean.

`Enricher` adds that meaning to records; nothing here reads or writes streams.
"""

from enricher.catalog import Catalog, load_catalog
from enricher.enrich import Enricher
from enricher.errors import InvalidRecord, SettingsError, SipsenseError
from enricher.lookup import Explanation
from enricher.profiles import Profile, custom_profile

__all__ = [
    "Catalog",
    "Enricher",
    "Explanation",
    "InvalidRecord",
    "Profile",
    "SettingsError",
    "SipsenseError",
    "custom_profile",
    "load_catalog",
]
