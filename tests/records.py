"""Records for property tests: call logs of all shapes, with values of all kinds where a code or a text may stand."""

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

CASES = Path(__file__).resolve().parent / "cases"
POOL = [line for file in sorted(CASES.glob("*/*.jsonl")) for line in file.read_bytes().splitlines()]

# Values that stand where a code, a reason or an initiator may stand.
codes = st.one_of(
    st.sampled_from([200, 403, 408, 480, 481, 486, 487, 500, 603, 699, 100, 99, 700, 0, -1, 2**63, 2**64, 10**30]),
    st.sampled_from(
        ["486", "sip:486", "SIP 486 Busy", "SIP/2.0 480 Capacity limit for DID exceeded", "", "x", "200 OK"]
    ),
    st.sampled_from([486.0, 486.5, 1e300, True, False, None, [486], {"a": 486}, {}]),
)
reasons = st.one_of(
    st.sampled_from(
        ["Busy Here", "busy_here", "Bye", "OK", "Ringing timeout", "NoAck", "Unspecified", "Rtp timeout", "-"]
    ),
    st.sampled_from(["Unknown words", "Temporarily Unavailable", "\u0130\u00df", "", " ", None, 7, ["Busy Here"]]),
    st.text(max_size=8),
)
initiators = st.sampled_from(["System", "caller", "destination", "2", 1, 3, 0, 4, 1.0, True, None, "", "nobody", {}])
others = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=6)
)
nested = st.recursive(
    others,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "sip_code": codes,
    "disconnect_code": codes,
    "sip_reason": reasons,
    "disconnect_reason": reasons,
    "disconnect_initiator": initiators,
    "hangup_by": initiators,
    "a": st.fixed_dictionaries({}, optional={"b": codes, "c": reasons}) | others,
    "d": initiators,
    "success": others,
    "duration": others,
    "sip": nested,
    "sip_match": nested,
    "call_match": nested,
    "call_reason": reasons,
    "attributes": st.fixed_dictionaries({}, optional={"disconnect_code": codes, "disconnect_reason": reasons}),
    "type": st.sampled_from(["cdr", "cdrs", 1]),
}
made = st.fixed_dictionaries({}, optional=VALUES)
strangers = st.dictionaries(st.text(max_size=4), nested, max_size=4)


@st.composite
def mixed(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a record of the pool with some members more."""
    return {**json.loads(draw(st.sampled_from(POOL))), **draw(made)}


objects = made | strangers | mixed()
