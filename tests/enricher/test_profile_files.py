"""Profiles that a user writes."""

from pathlib import Path
from typing import Any

import pytest

from enricher.errors import SettingsError
from enricher.profile_files import check, getter
from enricher.profiles import (
    Found,
    Profile,
    Profiles,
    builtin_profiles,
    load_profiles,
)

AUTO = load_profiles()
BY_NAME = {profile.name: profile for profile in builtin_profiles()}


def knows_all(text: str, platform: bool) -> bool:
    """Take every text for a known one."""
    return True


def must_find(record: dict[str, Any], profiles: Profiles = AUTO) -> Found:
    """Return what the profiles read; fail for a stranger."""
    found = profiles.find(getter(record), knows_all)
    assert found is not None
    return found[1]


def make(**changes: Any) -> Profile:
    """Return a small sound profile with some fields changed."""
    fields: dict[str, Any] = {
        "name": "mine",
        "title": "Mine",
        "source": "test",
        "rank": 1,
        "platform": True,
        "code": ("c",),
        "example": ('{"c":486}',),
    }
    return Profile(**(fields | changes))


def write(folder: Path, text: str, name: str = "my.toml") -> Path:
    """Write a user's file."""
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def problems_of(*files: Path) -> list[str]:
    """Return the findings in the files, with bare file names."""
    with pytest.raises(SettingsError) as caught:
        load_profiles(files=files)
    return [problem.replace(f"{files[0].parent}/", "") for problem in caught.value.problems]


SOUND = """
name = "mine"
title = "My switch"
source = "its manual"
rank = 1
system = "The switch ended the call."
code = ["cause.sip"]
initiator = ["side"]
example = ['{"cause":{"sip":486},"side":"far"}']
[initiators]
far = "Destination"
"""


class TestUserFile:
    def test_goes_before_the_builtin_ones(self, tmp_path: Path) -> None:
        """A user's profile is tried first, whatever its rank, and the built-in ones stay."""
        profiles = load_profiles(files=[write(tmp_path, SOUND.replace("rank = 1", "rank = 99"))])
        found = must_find({"cause": {"sip": 486}, "side": "FAR", "sip_code": 404}, profiles)
        assert (found.profile.name, found.code, found.initiator) == ("mine", 486, "Destination")
        assert must_find({"sip_code": 404}, profiles).profile.name == "generic"

    def test_can_be_named(self, tmp_path: Path) -> None:
        """A name may be that of a user's profile."""
        named = load_profiles(["mine"], files=[str(write(tmp_path, SOUND))])
        assert [reader.profile.name for reader in named.readers] == ["mine"]

    def test_shape(self, tmp_path: Path) -> None:
        """A wrong type, an unknown key and broken TOML are told with the place."""
        files = [
            write(tmp_path, SOUND.replace('["cause.sip"]', "[480]"), "a.toml"),
            write(tmp_path, SOUND.replace("rank =", "rnak ="), "b.toml"),
            write(tmp_path, "name = ", "c.toml"),
            tmp_path / "d.toml",
        ]
        assert problems_of(*files) == [
            "a.toml: Expected `str`, got `int` - at `$.code[0]`",
            "b.toml: Object contains unknown field `rnak`",
            "c.toml: Invalid value (at end of document)",
            "d.toml: No such file or directory",
        ]

    def test_all_findings_at_once(self, tmp_path: Path) -> None:
        """Every mistake of every file is in one error, with file, key, what was expected and what came."""
        text = """
name = "zeek"
title = "Broken"
source = "test"
rank = 1
code = ["a..b", "c+"]
requires = ["x||y"]
time = ["t."]
id = ["u+v|", "w"]
call = [""]
start = ["s..t"]
duration = [{ path = ".d", unit = "ms" }]
zone = "Europe/Rigga"
connected = [{ path = "", kind = "flag" }]
calls = { path = ".m", values = ["INVITE"] }
example = []
[initiators]
proxy = "Systm"
[codes]
USER_BUSY = 4866
"""
        assert problems_of(write(tmp_path, text)) == [
            "my.toml: name: expected one that no other profile has, got 'zeek'",
            "my.toml: code[0]: expected keys with a dot between them, got 'a..b'",
            "my.toml: code[1]: expected keys with a dot between them, got 'c+'",
            "my.toml: requires[0]: expected keys with a dot between them, got 'x||y'",
            "my.toml: time[0]: expected keys with a dot between them, got 't.'",
            "my.toml: id[0]: expected keys with a dot between them, got 'u+v|'",
            "my.toml: call[0]: expected keys with a dot between them, got ''",
            "my.toml: start[0]: expected keys with a dot between them, got 's..t'",
            "my.toml: connected[0].path: expected keys with a dot between them, got ''",
            "my.toml: duration[0].path: expected keys with a dot between them, got '.d'",
            "my.toml: calls.path: expected keys with a dot between them, got '.m'",
            "my.toml: initiators: 'proxy': expected one of System, Origination, Destination, got 'Systm'",
            "my.toml: codes: 'USER_BUSY': expected a SIP code from 100 to 699, got 4866",
            "my.toml: zone: expected UTC or a time zone such as Europe/Riga, got 'Europe/Rigga'",
            "my.toml: system: expected a sentence or platform = true, got neither",
            "my.toml: example: expected at least one record, got none",
        ]

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"name": ""}, "name: expected a name, got ''"),
            ({"code": ()}, "code: expected at least one path, got none"),
            ({"code": ("a\\",)}, "code[0]: expected keys with a dot between them, got 'a\\\\'"),
            ({"example": ("[1]",)}, "example[0]: expected a JSON object, got '[1]'"),
            ({"example": ('{"c":486}', "{")}, "example[1]: expected a JSON object, got '{'"),
            ({"example": ('{"d":486}',)}, "example[0]: expected a record that the profile claims, got '{\"d\":486}'"),
            ({"requires": ("m",)}, "example[0]: expected a record that the profile claims, got '{\"c\":486}'"),
        ],
    )
    def test_check(self, changes: dict[str, Any], problem: str) -> None:
        """Each mistake has its own sentence."""
        assert check(make(**changes)) == [problem]

    def test_duplicate_name(self, tmp_path: Path) -> None:
        """Two files cannot give one name."""
        files = [write(tmp_path, SOUND, "a.toml"), write(tmp_path, SOUND, "b.toml")]
        assert problems_of(*files) == ["b.toml: name: expected one that no other profile has, got 'mine'"]

    def test_unknown_names(self) -> None:
        """Unknown profile names are told all at once, with the nearest right one."""
        known = ", ".join(sorted(BY_NAME))
        with pytest.raises(SettingsError) as caught:
            load_profiles(["kamailo", "generic", "qqq"])
        assert caught.value.problems == (
            f"profile: expected one of {known}, got 'kamailo'; did you mean 'kamailio'?",
            f"profile: expected one of {known}, got 'qqq'",
        )
