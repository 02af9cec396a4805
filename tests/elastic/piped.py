"""ES|QL and PPL, as much of them as the recipes use, run over documents: each step becomes a SELECT of SQLite.

Neither language runs without a server that cannot be had here, so this shows what a query means, not that Elasticsearch
or OpenSearch read it. Nulls and divisions of whole numbers are the same in all three. What is not known is refused.
"""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<number>\d+(?:\.\d+)?)|(?P<name>[@A-Za-z_][\w.]*)|(?P<sign>==|!=|[<>]=?|[-+*/=(),]))"""
)
_WORDS = {"and", "or", "not", "in", "is", "null"}
# What a function is in SQLite; {0} is its first argument.
_FUNCTIONS = {
    "esql": {
        **{name: f"{name}({{0}})" for name in ("count", "avg", "min", "max")},
        "count_distinct": "count(DISTINCT {0})",
        "round": "round({0}, {1})",
        "coalesce": "coalesce({0}, {1})",
        "case": "iif({0}, {1}, {2})",
        "date_trunc": "(CAST({1} / 60 AS INTEGER) * {0})",
    },
    "ppl": {
        **{name: f"{name}({{0}})" for name in ("sum", "min", "max")},
        "count": "count(*)",
        "distinct_count": "count(DISTINCT {0})",
        "round": "round({0}, {1})",
        "ifnull": "ifnull({0}, {1})",
        "isnotnull": "({0} IS NOT NULL)",
        "case": "iif({0}, {1}, {2})",
        "span": "(CAST({0} / 60 AS INTEGER) * {1})",
    },
}
_AGO = {"esql": r"NOW\(\) - (\d+) hours?", "ppl": r"DATE_SUB\(NOW\(\), INTERVAL (\d+) HOUR\)"}
_MINUTE = {"esql": r"\b1 minute\b", "ppl": r"\b1m\b"}


def run(language: str, query: str, documents: Sequence[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """Return the rows of the answer.

    Args:
        documents: values by the path of their field; one with a word is as good as a keyword.
        now: what NOW() is, in seconds, as `@timestamp` is.
    """
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    fields = list(dict.fromkeys(field for document in documents for field in document))
    database.execute(f"CREATE TABLE calls ({', '.join(map(_quoted, fields))})")
    database.executemany(
        f"INSERT INTO calls VALUES ({', '.join('?' * len(fields))})",
        [[document.get(field) for field in fields] for document in documents],
    )
    text = re.sub(_AGO[language], lambda found: str(now - int(found[1]) * 3600), query)
    text = re.sub(_MINUTE[language], "60", text)
    first, *steps = re.split(r"(?:^|\n)\s*\|\s*", text.strip())
    assert first == {"esql": "FROM logs-sip.calls-*", "ppl": "source=logs-sip.calls-*"}[language]
    table = "calls"
    for number, step in enumerate(steps):
        command, _, rest = step.partition(" ")
        select = {"esql": _ESQL, "ppl": _PPL}[language][command]
        database.execute(f"CREATE TABLE step{number} AS {select(_Piped(language), rest, table)}")
        table = f"step{number}"
    rows = [dict(row) for row in database.execute(f"SELECT * FROM {table}")]
    database.close()
    return rows


class _Piped:
    """Makes SQL of the expressions of one language."""

    def __init__(self, language: str) -> None:
        self.functions = _FUNCTIONS[language]

    def expression(self, text: str) -> str:
        """Return an expression as SQL."""
        tokens = []
        while text.strip():
            found = _TOKEN.match(text)
            assert found, f"cannot be read: {text}"
            tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            text = text[found.end() :]
        sql = self._until(tokens, ())
        assert not tokens, f"left over: {tokens}"
        return sql

    def _until(self, tokens: list[tuple[str, str]], ends: Sequence[str]) -> str:
        parts = []
        while tokens and tokens[0][1].lower() not in ends:
            kind, value = tokens.pop(0)
            if kind == "text":
                parts.append(f"'{value[1:-1]}'")
            elif kind == "name" and value.lower() not in _WORDS:
                is_function = tokens and tokens[0][1] == "("
                parts.append(self._call(value.lower(), tokens) if is_function else _quoted(value))
            elif value == "(":
                parts.append(f"({', '.join(self._arguments(tokens))})")
            else:
                parts.append(value)
        return " ".join(parts)

    def _call(self, name: str, tokens: list[tuple[str, str]]) -> str:
        tokens.pop(0)
        arguments = self._arguments(tokens)
        return self.functions[name].format(*arguments, *(["0"] if name == "round" else []))

    def _arguments(self, tokens: list[tuple[str, str]]) -> list[str]:
        """Return what stands between brackets, of which the first is gone."""
        arguments = []
        while True:
            arguments.append(self._until(tokens, (",", ")", "else")))
            if tokens.pop(0)[1] == ")":
                return arguments


def _quoted(name: str) -> str:
    return f"[{name}]"  # unlike what stands in quotes, never taken for a text where there is no such column


def _split(text: str) -> list[str]:
    """Return the parts between the commas that stand in no brackets."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", _flat(text))]


def _flat(text: str) -> str:
    return " ".join(text.split())


def _where(piped: _Piped, rest: str, table: str) -> str:
    return f"SELECT * FROM {table} WHERE {piped.expression(_flat(rest))}"


def _eval(piped: _Piped, rest: str, table: str) -> str:
    for name, text in re.findall(r"(\w+) = (.*?)(?=, \w+ = |$)", _flat(rest)):
        table = f"(SELECT *, {piped.expression(text)} AS {_quoted(name)} FROM {table})"
    return f"SELECT * FROM {table}"


def _stats_esql(piped: _Piped, rest: str, table: str) -> str:
    sums, _, groups = _flat(rest).partition(" BY ")
    selected = []
    for part in _split(sums):
        name, _, text = part.partition(" = ")
        text, _, condition = text.partition(" WHERE ")
        only = f" FILTER (WHERE {piped.expression(condition)})" if condition else ""
        selected.append(f"{piped.expression(text)}{only} AS {_quoted(name)}")
    return _grouped(selected, [(_quoted(group), group) for group in _split(groups)], table)


def _stats_ppl(piped: _Piped, rest: str, table: str) -> str:
    sums, _, groups = _flat(rest).partition(" by ")
    selected = []
    for part in _split(sums):
        text, _, name = part.partition(" as ")
        selected.append(f"{piped.expression(text)} AS {_quoted(name)}")
    named = [group.partition(" as ") for group in _split(groups)]
    return _grouped(selected, [(piped.expression(text), name or text) for text, _, name in named], table)


def _grouped(selected: list[str], groups: list[tuple[str, str]], table: str) -> str:
    columns = [*selected, *(f"{text} AS {_quoted(name)}" for text, name in groups)]
    return f"SELECT {', '.join(columns)} FROM {table} GROUP BY {', '.join(text for text, _ in groups)}"


def _sort_esql(piped: _Piped, rest: str, table: str) -> str:
    name, _, order = rest.strip().partition(" ")
    assert order == "DESC"
    return f"SELECT * FROM {table} ORDER BY {_quoted(name)} DESC"


def _sort_ppl(piped: _Piped, rest: str, table: str) -> str:
    sign, _, name = rest.strip().partition(" ")
    assert sign == "-"
    return f"SELECT * FROM {table} ORDER BY {_quoted(name)} DESC"


def _limit(piped: _Piped, rest: str, table: str) -> str:
    return f"SELECT * FROM {table} LIMIT {int(rest)}"


def _fields(piped: _Piped, rest: str, table: str) -> str:
    return f"SELECT {', '.join(map(_quoted, _split(rest)))} FROM {table}"


_ESQL = {"WHERE": _where, "EVAL": _eval, "STATS": _stats_esql, "SORT": _sort_esql, "LIMIT": _limit}
_PPL = {"where": _where, "eval": _eval, "stats": _stats_ppl, "sort": _sort_ppl, "head": _limit, "fields": _fields}
