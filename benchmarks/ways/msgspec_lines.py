"""A loop over lines that decodes three fields and splices in what they gain, without profiles and checks.

`msgspec_lines.py MAPPING`: the mapping that `mapping.py` makes. It takes flat and nested records.
"""

import os
import sys

import msgspec


class Call(msgspec.Struct):
    """The fields that decide."""

    sip_code: int | None = None
    sip_reason: str | None = None
    internal_disconnect_code: int | None = None
    internal_disconnect_reason: str | None = None
    disconnect_initiator: int | str | None = None


class Record(Call):
    """A record of either shape."""

    attributes: Call | None = None


def gain(table: dict[str, dict[str, msgspec.Raw]], call: Call) -> bytes:
    """Return what ends the line."""
    code = call.sip_code or call.internal_disconnect_code
    reason = (call.sip_reason or call.internal_disconnect_reason or "").lower()
    who = {"1": "System", "2": "Destination", "3": "Origination"}.get(str(call.disconnect_initiator))
    side = who or call.disconnect_initiator or ""
    rows = table["rows"]
    found = rows.get(f"{code}|{reason}|{side}") or rows.get(f"{code}|{'*' if reason else ''}|{side}")
    return b',"sip":' + bytes(found) + b"}\n" if found else b"}\n"


def main() -> None:
    """Enrich standard input."""
    with open(sys.argv[1], "rb") as file:
        table = msgspec.json.decode(file.read(), type=dict[str, dict[str, msgspec.Raw]])
    decode = msgspec.json.Decoder(Record).decode
    gains: dict[tuple[object, ...], bytes] = {}
    rest = b""
    while chunk := os.read(0, 256 * 1024):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        done = []
        for line in lines:
            record = decode(line)
            call = record.attributes or record
            key = (
                call.sip_code or call.internal_disconnect_code,
                call.sip_reason or call.internal_disconnect_reason,
                call.disconnect_initiator,
            )
            end = gains.get(key)
            if end is None:
                end = gains[key] = gain(table, call)
            done.append(line[:-1])
            done.append(end)
        os.write(1, b"".join(done))


main()
