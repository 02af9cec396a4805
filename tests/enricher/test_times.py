"""Times and lengths of time: what is read, what is not, and that nothing is guessed."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enricher.text import Number
from enricher.times import read_duration, read_time, read_times, time_zone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The range that nanoseconds in 63 bits have; the first of these is where counts of seconds are told from other numbers.
FIRST, LAST = datetime(1973, 3, 4), datetime(2262, 4, 11)
AT = 1769940009_000000000  # 2026-02-01 10:00:09 UTC

moments = st.datetimes(FIRST, LAST)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
fractions = st.from_regex(r"[0-9]{1,12}", fullmatch=True)


def nanoseconds(moment: datetime) -> int:
    """Return what a time is since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


class TestTexts:
    @given(moments, offsets, st.sampled_from("T t"))
    def test_iso_with_an_offset(self, moment: datetime, zone: timezone, between: str) -> None:
        """ISO 8601 with an offset is the moment that it names, whatever zone the profile has."""
        text = moment.replace(tzinfo=zone).isoformat(between)
        assert read_time(text) == read_time(text, zone) == nanoseconds(moment.replace(tzinfo=zone))

    @given(moments, st.sampled_from(["Z", "z", " Z", "+00", "+0000", "+00:00", "-00:00", " +0000", " UTC", " GMT"]))
    def test_iso_in_utc(self, moment: datetime, zone: str) -> None:
        """All ways to write UTC are understood, with a blank before it too."""
        assert read_time(f"{moment.isoformat()}{zone}") == nanoseconds(moment.replace(tzinfo=UTC))

    @given(moments, fractions)
    def test_digits_are_kept(self, moment: datetime, fraction: str) -> None:
        """Nine digits of a fraction count; what is behind them is cut off, not rounded."""
        whole = moment.replace(microsecond=0)
        expected = nanoseconds(whole.replace(tzinfo=UTC)) + int(fraction.ljust(9, "0")[:9])
        assert read_time(f"{whole.isoformat()}.{fraction}Z") == expected
        assert read_time(f"{whole.isoformat(' ')}.{fraction}", UTC) == expected
        assert read_time(f"{whole.isoformat()},{fraction}+00:00") == expected

    @given(moments, offsets)
    def test_rfc_2822(self, moment: datetime, zone: timezone) -> None:
        """Times of mail, as Twilio writes them, are what the standard library reads in them."""
        whole = moment.replace(microsecond=0, tzinfo=zone)
        assert read_time(format_datetime(whole)) == nanoseconds(whole)

    @given(moments)
    def test_rfc_2822_with_names(self, moment: datetime) -> None:
        """The day of the week and the seconds may be missing; GMT and UT are UTC."""
        whole = moment.replace(second=0, microsecond=0, tzinfo=UTC)
        text = whole.strftime("%d %b %Y %H:%M")
        assert read_time(f"{text} GMT") == read_time(f"{text}:00 UT") == nanoseconds(whole)

    def test_no_zone(self) -> None:
        """Without a zone a text is read only where the profile knows one."""
        assert read_time("2026-02-01 10:00:09") is None
        assert read_time("2026-02-01 10:00:09", UTC) == AT

    def test_named_zone(self) -> None:
        """A profile's zone has its summer time; of an hour that comes twice, the first is meant."""
        riga = time_zone("Europe/Riga")
        assert read_time("2026-02-01 12:00:09", riga) == AT
        assert read_time("2026-07-01 13:00:09", riga) == read_time("2026-07-01T10:00:09Z")
        assert read_time("2026-10-25 03:30:00", riga) == read_time("2026-10-25T00:30:00Z")

    @given(moments)
    def test_freeswitch(self, moment: datetime) -> None:
        """FreeSWITCH's stamps are read in the zone that a profile names."""
        whole = moment.replace(microsecond=0)
        assert read_time(whole.strftime("%Y-%m-%d %H:%M:%S"), UTC) == nanoseconds(whole.replace(tzinfo=UTC))

    def test_zones(self) -> None:
        """No name is no zone, and UTC is UTC without a database of zones."""
        assert time_zone("") is None
        assert time_zone("UTC") is UTC


class TestCounts:
    @given(moments, fractions)
    def test_seconds(self, moment: datetime, fraction: str) -> None:
        """Seconds are read from numbers and texts, each digit of a fraction that was written."""
        seconds = nanoseconds(moment.replace(microsecond=0, tzinfo=UTC)) // 10**9
        expected = seconds * 10**9 + int(fraction.ljust(9, "0")[:9])
        assert read_time(seconds) == read_time(str(seconds)) == read_time(f"{seconds}.") == seconds * 10**9
        assert read_time(f"{seconds}.{fraction}") == read_time(Number(f"{seconds}.{fraction}")) == expected

    @given(st.integers(10**8, 2**63 // 10**9 - 1), st.sampled_from([10**3, 10**6, 10**9]), st.integers(0, 999))
    def test_smaller_units(self, seconds: int, parts: int, more: int) -> None:
        """Milliseconds, microseconds and nanoseconds are told by their size."""
        count = seconds * parts + more
        expected = count * (10**9 // parts)
        assert read_time(count) == read_time(str(count)) == read_time(f"{count}.0") == expected

    @given(st.floats(1e8, 9e9, allow_nan=False))
    def test_floats(self, seconds: float) -> None:
        """A float is the number that its shortest text says."""
        assert read_time(seconds) == int(Decimal(repr(seconds)).scaleb(9))

    def test_exponents(self) -> None:
        """A number with an exponent is exact too."""
        assert read_time(Number("1.769940009e9")) == AT
        assert read_time("17699400091E-1") == AT + 100_000_000
        assert read_time("1769940009.9999999999999999999999999999999999") == AT + 999_999_999
        assert read_time("1769940009999.9999999999999999999999999999999999") == AT + 999_999_999

    @pytest.mark.parametrize("count", [0, 1, 7, 99_999_999, -1, -1769940009, 10**20, 2**63, 10**400, True, False])
    def test_other_numbers(self, count: int) -> None:
        """0 stands for never, a small number is no time, and a huge one no time that fits."""
        assert read_time(count) is None
        assert read_time(str(int(count))[:70]) is None


class TestNothingElse:
    @pytest.mark.parametrize(
        "value",
        [
            *(None, True, [], {}, [1769940009], b"2026-02-01T10:00:09Z", float("nan"), float("inf"), -1769940009.0),
            *("", " ", "-", "never", "0", "0.0", "nan", "Infinity", "1e400", "1_769_940_009", "0x69", "+1769940009"),
            *("0000-00-00 00:00:00", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z"),
            *("2300-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-14:00", "0001-01-01T00:00:00+14:00"),
            *("2026-02-01", "10:00:09", "2026-02-01T10", "2026-02-30T10:00:09Z", "2026-13-01 10:00:09+00:00"),
            *("2026-02-01T25:00:09Z", "2026-02-01T10:00:60Z", "2026-02-01T10:00:09+25:00", "01/02/2026 10:00:09"),
            *("2026-02-01 10:00:09 CET", "2026-02-01 10:00:09 PM", "x" * 100, "\u0661" * 10, "1769940009.\u0661"),
            *("Sun, 30 Feb 2026 10:00:09 +0000", "Sun, 01 Foo 2026 10:00:09 +0000", "01 Feb 2026 10:00:09 +9900"),
            *("01 Feb 2026 10:00:09", "1769940009 seconds", "2026-02-01T10:00:09Zjunk"),
        ],
    )
    def test_is_no_time(self, value: Any) -> None:
        """What is no time, no known form of one, or outside of what targets hold, gives none."""
        assert read_time(value, UTC) is None

    @given(st.one_of(st.text(), st.integers(), st.floats(), st.binary(), st.none(), st.lists(st.integers())))
    def test_never_raises(self, value: Any) -> None:
        """Whatever comes gives a time that targets can hold, or none."""
        for zone in (None, UTC, time_zone("Europe/Riga")):
            found = read_time(value, zone)
            assert found is None or 0 < found < 2**63
        found = read_duration(value, 10**9)
        assert found is None or 0 <= found < 2**63

    @given(
        st.text("0123456789-:. TZ+", min_size=15, max_size=35)
        | st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]{0,5}[Z+-]?[:\d]{0,5}", fullmatch=True)
    )
    def test_never_raises_near_a_time(self, text: str) -> None:
        """Texts that look like times do not raise either."""
        for zone in (None, UTC, time_zone("Europe/Riga")):
            found = read_time(text, zone)
            assert found is None or 0 < found < 2**63


texts = st.builds(
    lambda moment, zone, digits: moment.isoformat("T", "seconds") + digits + zone,
    moments | st.datetimes(),
    st.sampled_from(["Z", "+00:00", "-05:30", ""]),
    st.sampled_from(["", ".5", ".833955", ",833955", ".8339551", ".833955123"]),
)
ODD = ("", "2026-02-01", "20260201T100009.000000Z", "2026-W05-7T10:00:09Z", "1769940009", str(AT), AT, None, {}, [])


class TestColumns:
    @given(st.lists(texts | st.sampled_from(ODD), max_size=4), st.sampled_from([None, UTC, time_zone("Europe/Riga")]))
    def test_many(self, values: list[Any], zone: Any) -> None:
        """Many values at once are read as each of them alone."""
        assert read_times(values, zone) == [read_time(value, zone) for value in values]

    @pytest.mark.parametrize("value", ODD)
    def test_odd(self, value: Any) -> None:
        """What only looks like the others is no time of the quick way either."""
        for zone in (None, UTC):
            assert read_times([value] * 2, zone) == [read_time(value, zone)] * 2

    @given(st.lists(moments, min_size=1), st.sampled_from(["Z", "", "+00:00"]))
    def test_alike(self, drawn: list[datetime], zone: str) -> None:
        """Those that are alike too, which take the quick way."""
        assert read_times([f"{moment.isoformat()}{zone}" for moment in drawn], UTC) == [
            nanoseconds(moment.replace(tzinfo=UTC)) for moment in drawn
        ]


class TestDurations:
    @pytest.mark.parametrize(
        ("value", "unit", "expected"),
        [
            (0, 10**9, 0),
            (61, 10**9, 61 * 10**9),
            ("61", 10**9, 61 * 10**9),
            (60710, 10**6, 60_710_000_000),
            (1.5, 10**9, 1_500_000_000),
            (Number("0.1234567899"), 10**9, 123_456_789),
            ("1e3", 10**3, 10**6),
        ],
    )
    def test_read(self, value: Any, unit: int, expected: int) -> None:
        """A length of time is a number of its unit, in digits or as a number."""
        assert read_duration(value, unit) == expected

    @pytest.mark.parametrize(
        "value",
        [None, True, "", "-1", -1, -0.5, "1:02:03", "soon", float("nan"), 10**30, 10**400, "9" * 70, [], "1e99"],
    )
    def test_not_read(self, value: Any) -> None:
        """What is no length of time, or none that fits, gives none."""
        assert read_duration(value, 10**9) is None

    def test_too_long_in_its_unit(self) -> None:
        """A number that fits may stand for a length that does not."""
        assert read_duration(10**18, 1) == 10**18
        assert read_duration(10**18, 10**9) is None
