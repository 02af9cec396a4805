"""What all tests share: hypothesis draws the same examples in each run, unless HYPOTHESIS_PROFILE says otherwise.

`HYPOTHESIS_PROFILE=search python -m pytest` looks for new examples, and for more of them.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("ci", derandomize=True, deadline=None, database=None, max_examples=60)
settings.register_profile(
    "search", deadline=None, database=None, max_examples=1000, suppress_health_check=list(HealthCheck)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
