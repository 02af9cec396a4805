"""What tells records apart, and when they happened: for targets that are not to take a record twice.

The reference is the record path: `Profiles.claim` says whose a record is. Its fast twin is a shape: a type that decodes
only records that have something at the same paths as a record seen before, so that whose they are is known beforehand.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence

import msgspec

from enricher.errors import InvalidRecord
from enricher.identity import TIMESTAMP, Fields, Identity
from enricher.identity_shapes import Conflict, Noting, Shape
from enricher.json_record import JsonRecord
from enricher.profiles import MISSING, Get, KnowsText, Profiles, Reader

# Making a shape costs as much as a hundred records on the record path, so it is not done for each that is odd.
_SHAPES = 8
_RECORDS_A_SHAPE = 64

NOBODY = Identity()


class Identities:
    """Tells records apart; any number of threads may ask.

    Args:
        profiles: say whose a record is.
        knows_text: tells whether a reason text is known.
        own: top-level keys that enrichment adds, where it does so, and which of them says that it did.
    """

    def __init__(self, profiles: Profiles, knows_text: KnowsText, own: Collection[str] = (), mark: str = "") -> None:
        self._profiles = profiles
        self._knows_text = knows_text
        self._own = frozenset(own)
        self._mark = mark
        self._fields = {reader: Fields(reader.profile) for reader in profiles.readers}
        self._shapes: tuple[Shape, ...] = ()
        self._odd = _RECORDS_A_SHAPE - 1

    def identify(self, records: Sequence[bytes]) -> list[Identity]:
        """Return what tells JSON objects apart, enriched or not; nothing does for bytes that are none."""
        found: list[Identity | None] = [None] * len(records)
        known = self._shapes
        left = self._by_shapes(known, records, found, range(len(records)))
        while left:
            place = left.popleft()
            found[place] = self._looked_up(records[place])
            if self._shapes is not known:
                known = self._shapes
                left = self._by_shapes(known[:1], records, found, left)
        return found  # type: ignore[return-value]  # no place is left

    def _by_shapes(
        self, shapes: Sequence[Shape], records: Sequence[bytes], found: list[Identity | None], left: Iterable[int]
    ) -> deque[int]:
        """Fill in what the shapes tell of the records at some places; return the places that are left."""
        places, fits = list(left), Counter[Shape]()
        for shape in shapes:
            if not places:
                break
            identities = shape.read([records[place] for place in places])
            for place, identity in zip(places, identities, strict=True):
                found[place] = identity
            fits[shape] = len(places) - identities.count(None)
            places = [place for place in places if found[place] is None]
        common = tuple(sorted(shapes, key=fits.__getitem__, reverse=True))  # what fits most is tried first
        if shapes is self._shapes and common != shapes:
            self._shapes = common
        return deque(places)

    def _looked_up(self, record: bytes) -> Identity:
        """Return the same by the record path, and learn from one in so many records that come here."""
        try:
            opened = JsonRecord(record)
        except InvalidRecord:
            return NOBODY
        keys = opened.keys
        reader = self._owner(opened.get, keys)
        if reader is None:
            return Identity(timestamp=TIMESTAMP[0] in keys)
        self._odd += 1
        if self._odd >= _RECORDS_A_SHAPE:
            self._odd = 0
            self._learn(record, opened.get)
        fields = self._fields[reader]
        return fields.read(lambda place: (opened.exact(fields.paths[place]),), 1)[0]

    def _owner(self, get: Get, keys: Collection[str]) -> Reader | None:
        """Return the reader that claims the record; what enrichment added counts only where nothing else does."""
        hidden = self._profiles.claim(self._hiding(get), self._knows_text, keys) if self._mark in keys else None
        return hidden or self._profiles.claim(get, self._knows_text, keys)

    def _hiding(self, get: Get) -> Get:
        return lambda path: MISSING if path[0] in self._own else get(path)

    def _learn(self, record: bytes, get: Get) -> None:
        """Make a shape of a record, if nothing but the paths that it has decides whose it is."""
        noting, reader = Noting(get), None
        if self._mark and noting((self._mark,)) is not MISSING:
            reader = self._profiles.claim_by_code(self._hiding(noting))
            if not reader:
                texts = Noting(get)
                if self._profiles.claim_by_reason(self._hiding(texts), lambda *_: False) or any(texts.paths.values()):
                    return
                noting.paths |= texts.paths
        reader = reader or self._profiles.claim_by_code(noting)
        if reader is None:
            return
        try:
            shape = Shape(reader.profile, noting.paths, record, get)
        except (Conflict, msgspec.DecodeError, RecursionError):
            return  # a value is in JSON text, or no object where others have one
        self._shapes = (shape, *self._shapes)[:_SHAPES]
