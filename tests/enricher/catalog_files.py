"""Catalog files for tests, and what is said of them."""

from collections.abc import Callable

import pytest

from enricher.catalog import Catalog, load_catalog
from enricher.errors import SettingsError

Load = Callable[..., Catalog]


def problems(load: Load, *texts: str) -> tuple[str, ...]:
    """Return what is wrong with user files of these texts."""
    with pytest.raises(SettingsError) as raised:
        load(*texts)
    return raised.value.problems


def row(**fields: str) -> str:
    """Return the TOML of a sound new row with these fields set otherwise."""
    sound = {"code": "480", "reason": "'Foo'", "outcome": "'busy'", "owner": "'callee'"}
    return "[[row]]\n" + "\n".join(f"{name} = {value}" for name, value in (sound | fields).items()) + "\n"


def cause(**fields: str) -> str:
    """Return the TOML of a sound cause with these fields set otherwise."""
    sound = {"code": "480", "text": "'Foo'", "outcome": "'busy'", "owner": "'callee'"}
    return "[[cause]]\n" + "\n".join(f"{name} = {value}" for name, value in (sound | fields).items()) + "\n"


OUTCOMES = ", ".join(load_catalog().outcomes)
