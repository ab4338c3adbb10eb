"""The registers of a stopped QEMU that none of its commands prints, out of the state that it saves
for a migration: QEMU's docs/devel/migration, "VMState", and its scripts/analyze-migration.py."""

from __future__ import annotations

import json

from lint.architecture import MSR_LSTAR, MSR_SFMASK, MSR_STAR, MSR_SYSENTER_EIP

# What stands in front of the description of all fields, which ends the stream, and of a section.
DESCRIPTION, SECTION_FULL = 0x06, 0x04

FIELDS = {
    "env.star": MSR_STAR,
    "env.lstar": MSR_LSTAR,
    "env.fmask": MSR_SFMASK,
    "env.sysenter_eip": MSR_SYSENTER_EIP,
}


def msrs(stream: bytes) -> dict[int, int]:
    """Return the registers of the first CPU that @stream holds; none of them if it is not read."""
    cpu = next((d for d in _devices(stream) if d["name"] == "cpu" and not d["instance_id"]), None)
    start = _section(stream, cpu) if cpu else None
    if start is None:
        return {}
    found = {}
    for field in cpu["fields"]:
        size = field["size"] * field.get("array_len", 1)
        if field["name"] in FIELDS:
            found[FIELDS[field["name"]]] = int.from_bytes(stream[start : start + size], "big")
        start += size
    return found


def _devices(stream: bytes) -> list[dict]:
    """Return the description at the end of @stream."""
    at = len(stream)
    while (at := stream.rfind(bytes([DESCRIPTION]), 0, at)) >= 0:
        size = int.from_bytes(stream[at + 1 : at + 5], "big")
        if at + 5 + size == len(stream):
            return json.loads(stream[at + 5 :])["devices"]
    return []


def _section(stream: bytes, device: dict) -> int | None:
    """Return where the fields of @device begin."""
    name = device["name"].encode()
    head = bytes([len(name)]) + name
    head += device["instance_id"].to_bytes(4, "big") + device["version"].to_bytes(4, "big")
    at = len(stream)
    while (at := stream.rfind(head, 0, at)) >= 0:
        if stream[at - 5] == SECTION_FULL:  # then its number, of four bytes
            return at + len(head)
    return None
