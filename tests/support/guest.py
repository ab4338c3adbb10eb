"""The monitor on a guest's serial line, whatever emulator the guest runs in."""

from __future__ import annotations

import re
import threading
import time

TIMEOUT = 60  # seconds: generous, since a hang is the only thing that it must tell
PROMPT = "barestub> "
HALTED = "\nSystem Halted.\n"  # its last word

# The end of the echoed line, the whole lines of the answer, and the next prompt.
ANSWER = re.compile(r"\n((?:[^\n]*\n)*?)" + re.escape(PROMPT))

NEXT_PROMPT = re.compile("^" + re.escape(PROMPT), re.MULTILINE)


class Guest:
    """What the guest has said so far; a thread of the emulator's class calls hear()."""

    def __init__(self) -> None:
        self._text = ""
        self._read = 0  # how much of the text wait_for() has consumed
        self._ended = False
        self._changed = threading.Condition()

    def hear(self, data: bytes) -> None:
        """Take down what the guest has said; no data means that it will say no more."""
        with self._changed:
            self._text += data.decode("ascii", "replace").replace("\r", "")
            self._ended = not data
            self._changed.notify_all()

    def send(self, data: bytes) -> None:
        """Send @data to the guest's serial line."""
        raise NotImplementedError

    def report(self) -> str:
        """What a failed test should show of this machine."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """All that the guest has said on the serial line, without carriage returns."""
        with self._changed:
            return self._text

    def wait_for(self, pattern: str | re.Pattern[str], timeout: float = TIMEOUT) -> re.Match[str]:
        """Wait until the guest has said @pattern (a regular expression, or a string for its
        literal text) after all that was waited for before."""
        regex = re.compile(re.escape(pattern)) if isinstance(pattern, str) else pattern
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                if match := regex.search(self._text, self._read):
                    self._read = match.end()
                    return match
                left = end - time.monotonic()
                if self._ended or HALTED in self._text[self._read :]:
                    reason = "the machine has ended"
                    break
                if left <= 0:
                    reason = "timeout"
                    break
                self._changed.wait(left)
        raise AssertionError(f"{reason}: {regex.pattern!r} did not come\n{self.report()}")

    def type(self, line: str) -> None:
        """Send @line as a script does: the answer never stops at a screenful."""
        self.send(line.encode() + b"\n")

    def ask(self, line: str, timeout: float = TIMEOUT) -> str:
        """Type @line at the prompt; return what the monitor answers before the next prompt."""
        self.type(line)
        # Not by ANSWER, which would look at a long answer from each of its lines, over and over.
        start = self.wait_for("\n", timeout).end()
        end = self.wait_for(NEXT_PROMPT, timeout).start()
        return self.text[start:end]
