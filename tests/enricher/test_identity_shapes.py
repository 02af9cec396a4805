"""The fast path of identities says what the record path says."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from identities import encoded, identified, learned, reference, shapes
from records import POOL, objects

from enricher import Enricher, Profile, custom_profile
from enricher.identities import _RECORDS_A_SHAPE, _SHAPES, Identities
from enricher.profiles import Profiles, Reader, builtin_profiles

KEYS = ["id", "uuid", "time_end", "@timestamp", "method", "data", "variables"]
values = st.integers() | st.text(max_size=3) | st.none() | st.floats(0, 1e10)


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """Draw a record, spelt in one way or another, or a broken one."""
    record = draw(objects)
    if draw(st.booleans()):
        record |= draw(st.dictionaries(st.sampled_from(KEYS), values))
    data = json.dumps(record, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        cut = draw(st.integers(0, len(data)))
        data = data[:cut] + draw(st.binary(max_size=2)) + data[cut:]
    return data


class TestShapes:
    """The fast path says what the record path says."""

    ENRICHERS = (
        Enricher(),
        Enricher(flat=True),
        Enricher(profiles=["kamailio", "generic"]),
        Enricher(custom=custom_profile("a.b", "a.c", "d")),
        Enricher(flat=True, target="call", fields=("reason", "outcome")),
        Enricher(ecs=True),
    )

    @given(st.sampled_from(ENRICHERS), st.lists(records() | st.sampled_from(POOL), min_size=1, max_size=8))
    def test_same_as_the_record_path(self, enricher: Enricher, drawn: list[bytes]) -> None:
        """Whatever was seen before, an identity is what the record path finds; each record is learned from."""
        identities: Any = enricher.identify.__self__  # type: ignore[attr-defined]
        for data in drawn:
            identities._odd = _RECORDS_A_SHAPE
            assert identified(enricher, data) == reference(enricher, data)
        for data in drawn:
            assert identified(enricher, data) == reference(enricher, data)

    @given(st.sampled_from(ENRICHERS), st.lists(records() | st.sampled_from(POOL), max_size=12))
    def test_many_at_once(self, enricher: Enricher, drawn: list[bytes]) -> None:
        """Many records at once have the identities that each of them has alone, in their order."""
        identities: Any = enricher.identify.__self__  # type: ignore[attr-defined]
        identities._odd = _RECORDS_A_SHAPE
        assert enricher.identify(drawn) == [reference(enricher, data) for data in drawn]
        assert enricher.identify(drawn * 2) == [reference(enricher, data) for data in drawn * 2]

    @given(objects)
    def test_enriched_or_not(self, record: dict[str, Any]) -> None:
        """A record has the same identity when it was enriched, unless it looked enriched before."""
        plain = {key: value for key, value in record.items() if key != "sip"}
        for enricher in (self.ENRICHERS[0], self.ENRICHERS[-1]):
            assert identified(enricher, enricher.enrich_json(encoded(**plain))) == identified(
                enricher, encoded(**plain)
            )
        flat = self.ENRICHERS[1]
        plain = {key: value for key, value in plain.items() if not key.startswith("sip_")}
        assert identified(flat, flat.enrich_json(encoded(**plain))) == identified(flat, encoded(**plain))

    @pytest.mark.parametrize("profile", builtin_profiles(), ids=lambda profile: profile.name)
    def test_examples_are_learned(self, profile: Profile) -> None:
        """Of each example a shape is made, save of those in JSON text and of those that are claimed by their text."""
        slow = {"asterisk-cel": 2, "didww-csv": 1}
        for flat in (False, True):
            enricher = Enricher(flat=flat)
            lines = [enricher.enrich_json(text.encode()) for text in profile.example]
            known = 0
            for line in lines:
                identities: Any = Enricher(flat=flat).identify.__self__  # type: ignore[attr-defined]
                identified(identities, line)
                known += len(identities._shapes)
            assert known == len(lines) - slow.get(profile.name, 0)

    def test_seldom_learned(self) -> None:
        """A shape is made of the first record, then of one in so many: it costs as much as they do."""
        enricher = Enricher()
        lines = [encoded(sip_code=486, **{key: 1}) for key in ("sipCode", "hangup_code", "disconnect_code")]
        identified(enricher, lines[0])
        assert shapes(enricher) == 1
        odd = b'{"disconnect_code":486}'
        for _ in range(_RECORDS_A_SHAPE - 1):
            identified(enricher, odd)
        assert shapes(enricher) == 1
        identified(enricher, odd)
        assert shapes(enricher) == 2

    def test_bounded(self) -> None:
        """No more shapes are kept than can be tried in a moment; the latest ones stay."""
        enricher = Enricher()
        names = [path for profile in builtin_profiles() if profile.name == "generic" for path in profile.code]
        assert len(names) > _SHAPES
        learned(enricher, *(encoded(**{name: 486}) for name in names))
        assert shapes(enricher) == _SHAPES
        assert identified(enricher, encoded(**{names[0]: 486})).profile == "generic"

    def test_common_first(self) -> None:
        """The shape that fits most records is tried first."""
        enricher = learned(Enricher(), b'{"sip_code":486}', b'{"disconnect_code":486}')
        identities: Any = enricher.identify.__self__  # type: ignore[attr-defined]
        first, second = identities._shapes
        enricher.identify([b'{"sip_code":486}'] * 3 + [b'{"disconnect_code":486}'])
        assert identities._shapes == (second, first)

    def test_two_kinds_in_turn(self) -> None:
        """Two kinds of records in turn are both told apart by their shapes."""
        enricher = learned(Enricher(), b'{"sip_code":486}', b'{"disconnect_code":486}')
        identities: Any = enricher.identify.__self__  # type: ignore[attr-defined]
        identities._looked_up = None  # would fail if asked
        for _ in range(3):
            assert identified(enricher, b'{"sip_code":200}').profile == "generic"
            assert identified(enricher, b'{"disconnect_code":200}').profile == "generic"

    @pytest.mark.parametrize(
        ("paths", "record"),
        [
            ({"code": ("a.c",), "id": ("a",)}, {"a": {"c": 486}}),
            ({"code": ("a",), "id": ("a.c",)}, {"a": 486}),
            ({"code": ("a.c",), "requires": ("a",)}, {"a": {"c": 486}}),
            ({"code": ("a", "b"), "requires": ("a.x|b",)}, {"a": {"y": 1}, "b": 486}),
        ],
    )
    def test_a_path_below_another(self, paths: dict[str, Any], record: dict[str, Any]) -> None:
        """A profile that wants a value and what is inside it has no shape, and is right nevertheless."""
        fields: dict[str, Any] = {"name": "mine", "title": "", "source": "", "rank": 1, "platform": True, "example": ()}
        profiles = Profiles([Reader(Profile(**fields | paths))])
        identities = Identities(profiles, lambda text, platform: False)
        for _ in range(3):
            assert identified(identities, encoded(**record)).profile == "mine"
        assert not identities._shapes
