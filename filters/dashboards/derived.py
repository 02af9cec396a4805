"""Fields that no record holds, as Painless: who has to act and what to do, and what a ratio is the average of.

Owner and hint of a failed call follow from what its record gained, as far as that can be told from it. A text that has
no row of its own leaves only its outcome, so a value is given where all texts that end in the same object agree on it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from enricher.catalog import Catalog, Pattern
from enricher.lookup import SOME_TEXT, Call, Explanation, Lookup
from filters.dashboards.conditions import painless
from filters.dashboards.description import Dashboard

NO_OWNER = "unknown"
NO_HINT = "No single hint: read the reason text in the record."

# A field that is not there, or that an index does not know, reads as "".
_READ = "String read(Map doc,String path){return doc.containsKey(path)&&doc[path].size()>0?doc[path].value:'';}\n"


class Key(NamedTuple):
    """What a record holds that owner and hint follow from, in the order in which a script looks at it.

    Args:
        described: "yes" where a description is there, which tells a row from the standard name of its code.
    """

    code: str
    reason: str
    described: str
    initiator: str
    outcome: str


# Records may hold values of these that the catalog does not have; those of the others are all known.
_OPEN = ("code", "reason")
_PATHS = {name: f"sip.{name}" for name in Key._fields} | {"described": "sip.description"}


class Script(NamedTuple):
    """A script that gives one value for a record.

    Args:
        kind: what it gives: `keyword` or `long`.
        functions: the functions that it calls.
        value: the expression of its value, which may be null.
    """

    kind: str
    functions: str
    value: str

    @property
    def returning(self) -> str:
        """Return the source of a scripted field, or of a script in an aggregation."""
        return f"{self.functions}return {self.value};"

    @property
    def emitting(self) -> str:
        """Return the source of a runtime field."""
        return f"{self.functions}emit({self.value});"


def lookups(catalog: Catalog, dashboard: Dashboard) -> dict[str, Script]:
    """Return the scripts of owner and hint, by path."""
    owners: defaultdict[Key, set[str]] = defaultdict(set)
    hints: defaultdict[Key, set[str]] = defaultdict(set)
    failed = {name for clause in dashboard.sets["failed"].any for name in clause.outcome}
    for explanation in _explanations(catalog):
        if explanation.outcome in failed:
            key = _key(explanation)
            owners[key].add(explanation.owner)
            hints[key].add(explanation.hint)
    sides = {name: side.owner for name, side in catalog.initiators.items()}
    by_side = f"String initiator=read(doc,{_quoted(_PATHS['initiator'])});"
    by_side += "".join(f"if(initiator=={_quoted(name)}){{return {_quoted(owner)};}}" for name, owner in sides.items())
    return {
        dashboard.fields["owner"].path: _lookup(
            owners, lambda key: sides.get(key.initiator, NO_OWNER), f"{by_side}return {_quoted(NO_OWNER)};"
        ),
        dashboard.fields["hint"].path: _lookup(hints, lambda key: NO_HINT, f"return {_quoted(NO_HINT)};"),
    }


def ratio(dashboard: Dashboard, measure: str) -> Script:
    """Return the script of a number whose average is the measure: 1 or 0, null for a call that does not count."""
    part, whole = dashboard.measures[measure].ratio
    return _number(f"({painless(dashboard, whole)})?(({painless(dashboard, part)})?1L:0L):null")


def member(dashboard: Dashboard, name: str) -> Script:
    """Return the script of a number whose sum is the number of calls in a set: 1 or 0."""
    return _number(f"({painless(dashboard, name)})?1L:0L")


def _number(value: str) -> Script:
    function = f"def answer(String outcome,String initiator){{return {value};}}\n"
    return Script("long", _READ + function, "answer(read(doc,'sip.outcome'),read(doc,'sip.initiator'))")


def _key(explanation: Explanation) -> Key:
    return Key(
        code=str(explanation.code),
        reason=explanation.reason,
        described="yes" if explanation.description else "",
        initiator=explanation.initiator,
        outcome=explanation.outcome,
    )


def _explanations(catalog: Catalog) -> Iterator[Explanation]:
    """Give what the catalog says of each text, known or not, by each side, of a call connected or not."""
    lookup = Lookup(catalog)
    for code, texts in _texts(catalog).items():
        for text in (*texts, None, SOME_TEXT):
            for initiator in (None, *catalog.initiators):
                for connected in (None, True, False):
                    for system in ("", "another platform"):
                        yield lookup.explain(
                            Call(code=code, reason=text, initiator=initiator, connected=connected, system=system)
                        )


def _texts(catalog: Catalog) -> dict[int, set[str]]:
    texts: defaultdict[int, set[str]] = defaultdict(set, {code: set() for code in catalog.names})
    for row in catalog.rows:
        texts[row.code].add(row.reason)
    for code, text in catalog.aliases:
        texts[code].add(text)
    for code, patterns in catalog.patterns.items():
        texts[code].update(map(_example, patterns))
    return texts


def _example(pattern: Pattern) -> str:
    return pattern.entry.text.replace("*", "x").replace("#", "1")


def _lookup(values: Mapping[Key, set[str]], otherwise: Callable[[Key], str], last: str) -> Script:
    """Return the script that gives the value of a record's key.

    Args:
        values: what the texts of a key lead to.
        otherwise: the value of a key whose texts do not agree, or say nothing.
        last: the statements that return that value.
    """
    agreed = {key: (next(iter(found)) if len(found) == 1 else "") or otherwise(key) for key, found in values.items()}
    cases = {key: "" if value == otherwise(key) else value for key, value in agreed.items()}
    function = f"String answer(Map doc){{\n{_decision(cases, 0)}{last}}}\n"
    return Script("keyword", _READ + function, "answer(doc)")


def _decision(cases: Mapping[Key, str], depth: int) -> str:
    """Return statements that return the value of a key; they return nothing for "" and for a key not among the cases.

    A part of the key is read only where a decision hangs on it: to read one takes longer than to compare many.
    """
    values = set(cases.values())
    if values == {""}:
        return ""
    name = Key._fields[depth] if depth < len(Key._fields) else ""
    if len(values) == 1 and name not in _OPEN:
        return f"return {_quoted(values.pop())};"
    groups: defaultdict[str, dict[Key, str]] = defaultdict(dict)
    for key, value in cases.items():
        groups[key[depth]][key] = value
    branches: defaultdict[str, list[str]] = defaultdict(list)
    for value, group in groups.items():
        branches[_decision(group, depth + 1)].append(value)
    if len(branches) == 1 and name not in _OPEN:
        return next(iter(branches))
    lines = f"String {name}=read(doc,{_quoted(_PATHS[name])});"
    for body, found in sorted(branches.items(), key=lambda branch: sorted(branch[1])):
        test = "||".join(_test(name, value) for value in sorted(found))
        lines += f"if({test}){{{body}}}" + ("\n" if depth == 0 else "") if body else ""
    return lines


def _test(name: str, value: str) -> str:
    return f"{name}!=''" if name == "described" and value else f"{name}=={_quoted(value)}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
