"""`python -m filters` is `sipsense`."""

import sys

from filters.cli import main

sys.exit(main())
