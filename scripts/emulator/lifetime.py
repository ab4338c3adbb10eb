"""How an emulator ends with whoever has started it, even if that one is killed and cannot tidy up."""

# In front of a command. The signal comes when the thread ends that has started it: prctl(2).
ENDS_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]
