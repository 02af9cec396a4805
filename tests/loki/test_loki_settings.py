"""The options of Loki: what is wrong is told at once, before anything is read."""

import argparse

import pytest
from loki_encoding import DAY, SECOND, settings
from loki_runs import run

from enricher.errors import SettingsError
from filters.loki.settings import Limits, duration, tenant_of


def problems(*options):
    """Return what is wrong with options."""
    with pytest.raises(SettingsError) as raised:
        settings(*options)
    return list(raised.value.problems)


def test_everything_is_told_at_once():
    """All that is wrong is told together: what was expected, what came, where."""
    found = problems(
        *("--label", "trunk", "--label", "1x=a", "--label", "sip_category=a", "--static-label", "env="),
        *("--metadata", "call_id=a,x", "--label-limit", "0", "--late-age", "1", "--late-behind", "x"),
        *("--max-entry", "nothing", "--label", "same=a", "--metadata", "same=b"),
    )
    assert [line.partition(":")[0] for line in found] == [
        *("--label", "--label", "--label", "--metadata", "--metadata", "--static-label"),
        *("--label, --static-label, --metadata", "--label-limit", "--max-entry", "--late-age", "--late-behind"),
    ]
    assert found[0] == "--label: expected NAME=PATH, such as trunk=attributes.trunk_name, got 'trunk'"
    assert found[-1] == "--late-behind: expected a time such as 90s, 10m, 1h or 7d, or none, got 'x'"


@pytest.mark.parametrize("name", ["a-b", "", "9", "__name__", "\u00e4", "x" * 65, "a b", "late", "sip_time"])
def test_names(name):
    """A name is one that Loki takes and that is not ours."""
    for option in ("--label", "--metadata"):
        (found,) = problems(option, f"{name}=path")
        assert found.endswith(f"got {name!r}")
    assert problems("--static-label", f"{name}=value")


def test_too_many():
    """There are no more labels and metadata than a server takes by default."""
    labels = [word for number in range(14) for word in ("--label", f"l{number}=x")]
    assert problems(*labels) == ["--label: expected at most 13, got 14"]
    assert len(settings(*labels[2:]).labels) == 14
    assert problems("--metadata", ",".join(f"m{number}=x" for number in range(11))) == [
        "--metadata: expected at most 10 names, got 11"
    ]
    assert problems("--static-label", f"a={'x' * 513}", "--static-label", "b=1", "--static-label", "b=2")


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("90s", 90 * SECOND), ("10m", 600 * SECOND), ("1h", 3600 * SECOND), ("7d", 7 * DAY), ("2w", 14 * DAY)],
)
def test_times(text, nanoseconds):
    """A time is a number with its unit."""
    assert duration(text, "--late-age") == nanoseconds


def test_default_limits():
    """The limits are Loki's defaults."""
    limits = settings().limits
    assert limits == Limits(line=262144, age=7 * DAY, ahead=600 * SECOND, behind=3600 * SECOND)
    assert settings("--late-age", "none").limits.age is None


@pytest.mark.parametrize(
    ("tenant", "taken"),
    [
        ("calls", True),
        ("a.b-c_(d)'!*", True),
        ("", True),
        ("..", False),
        ("a|b", False),
        ("a/b", False),
        ("x" * 151, False),
    ],
)
def test_tenants(tenant, taken):
    """A tenant is one that Loki takes."""
    args = argparse.Namespace(tenant=tenant)
    if taken:
        assert tenant_of(args) == tenant
    else:
        with pytest.raises(SettingsError, match="--tenant: expected"):
            tenant_of(args)


def test_the_command_line(tmp_path):
    """The command tells what is wrong with Loki's settings together with all other settings, and reads nothing."""
    done = run(
        tmp_path,
        "loki+http://me:secret@h",
        *("--batch-size", "5MiB", "--late", "drop", "--dead-letter", "", "--tenant", "a|b", "--label", "x"),
    )
    assert done.code == 2
    for text in ("no password in the URL", "at most 4MiB", "--late drop", "--tenant", "--label: expected NAME=PATH"):
        assert text in done.said
    assert "secret" not in done.said


def test_drop_without_a_place(tmp_path):
    """`--to loki` has no place for dropped records."""
    done = run(tmp_path, str(tmp_path / "out"), "--to", "loki", "--late", "drop")
    assert done.code == 2
    assert "--late: expected now or label with --to loki, got drop" in done.said
