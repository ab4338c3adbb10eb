"""The ways that lead through the stubs and the entry path, and for each an entry of the catalogue
that takes it."""

WAYS = {
    "state-kernel": "from ring 0, without an error code",
    "state-user": "from ring 3, without an error code",
    "pf-write-readonly": "from ring 0, with an error code",
    "pf-user-supervisor": "from ring 3, with an error code",
    "gp-int13": "from ring 0, with the slot of the missing error code to be opened",
    "df-stack-overflow": "onto a stack of the IST, with an error code",
    "mc-int18": "onto a stack of the IST, without an error code",
    "df-int8": "onto a stack of the IST, with the slot of the missing error code to be opened",
    "bp-in-handler": "from ring 0, and from the handler of that trap",
}
