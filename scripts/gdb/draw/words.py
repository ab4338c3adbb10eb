"""Error codes, RFLAGS and selectors in words, as kernel/report/describe.c says them."""

from __future__ import annotations

from manuals import CONSTANTS as X86
from manuals import VECTORS


# SDM vol. 3, 6.15, "Interrupt 21".
_CONTROL_PROTECTION = {
    1: "near RET",
    2: "far RET or IRET",
    3: "missing ENDBRANCH",
    4: "RSTORSSP",
    5: "SETSSBSY",
}
_FLAGS = "CF PF AF ZF SF TF IF DF OF NT RF VM AC VIF VIP ID".split()


def _bits(value: int, prefix: str, names: list[str]) -> list[str]:
    return [name for name in names if value & X86[prefix + name]]


def flags(rflags: int) -> str:
    """Return "[ZF IF IOPL=3]". SDM vol. 1, 3.4.3."""
    names = _bits(rflags, "RFLAGS_", _FLAGS)
    if level := (rflags & X86["RFLAGS_IOPL"]) >> 12:
        names.append(f"IOPL={level}")
    return f"[{' '.join(names)}]"


def selector(value: int) -> str:
    """Return "GDT entry 5, ring 3". SDM vol. 3, 3.4.2."""
    if value & 0xFFFC == 0:
        return "null"
    return f"{'LDT' if value & X86['ERROR_TI'] else 'GDT'} entry {value >> 3}, ring {value & 3}"


def _page_fault(code: int) -> str:
    access = "fetch from" if code & X86["PF_I"] else "write to" if code & X86["PF_W"] else "read of"
    page = "not-present"
    if code & X86["PF_P"]:
        page = "protected"
    if code & X86["PF_RSVD"]:
        page = "reserved-bit"
    names = "P W U RSVD I PK SS HLAT SGX".split()
    ring = 3 if code & X86["PF_U"] else 0
    return f"{access} a {page} page in ring {ring} [{' '.join(_bits(code, 'PF_', names))}]"


def _selector_code(code: int) -> str:
    if code == 0:
        return "no selector is to blame"
    index = code >> 3 & 0x1FFF
    if code & X86["ERROR_IDT"]:
        text = f"IDT gate {index}"
    else:
        text = f"selector {code & 0xFFFC:#x}: "
        text += f"{'LDT' if code & X86['ERROR_TI'] else 'GDT'} entry {index}"
    return text + (", an event from outside [EXT]" if code & X86["ERROR_EXT"] else "")


def error(vector: int, code: int) -> str:
    """Return what the error @code of @vector says. SDM vol. 3, 6.13 and 4.7."""
    mnemonic = VECTORS[vector].mnemonic if vector in VECTORS else ""
    if mnemonic == "PF":
        return _page_fault(code)
    if mnemonic in ("TS", "NP", "SS", "GP"):
        return _selector_code(code)
    if mnemonic == "CP":
        return _CONTROL_PROTECTION.get(code & 0x7FFF, f"unknown cause {code & 0x7FFF}")
    if mnemonic in ("DF", "AC"):
        return "always 0"
    return "undefined for this vector"
