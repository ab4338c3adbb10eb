"""Bochs as the tests drive it: the serial line, and the CPU's own log of every delivery."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import tempfile
import threading
import time
import tty

import bochslog
from emulator import bochs as bochsrc
from guest import TIMEOUT, Guest


class Bochs(Guest):
    """One Bochs process without a window. Use it in a `with`: it never outlives the block."""

    def __init__(
        self, iso: str, cpu: str = "tigerlake", cpus: int = 1, witness: bool = True
    ) -> None:
        """Boot @iso on the CPU model @cpu, one of `bochs --help cpu`; @cpus: how many there are.
        Without @witness the log, which grows quickly, has no deliveries."""
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="barestub-test-")
        self._terminal, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        command = bochsrc.bochs_command(
            iso,
            self._directory.name,
            os.ttyname(self._theirs),
            bochsrc.FAST,
            cpu=cpu,
            cpus=cpus,
            witness=witness,
        )
        self._output = os.path.join(self._directory.name, "output.txt")
        with open(self._output, "w") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=bochsrc.environment(),
            )
        self._log_read = 0
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        threading.Thread(target=self._hang_up, daemon=True).start()

    def _drain(self) -> None:
        """Take down the serial line until nobody holds its other end."""
        try:
            while data := os.read(self._terminal, 65536):
                self.hear(data)
                # As tests/support/qemu.py does: Bochs, too, sends byte by byte.
                time.sleep(0.001)
        except OSError:
            pass  # how a pseudo-terminal says that it has ended
        self.hear(b"")

    def _hang_up(self) -> None:
        """Let go of the serial line's other end when Bochs has ended, and not before: without
        anybody at that end, the line would have ended before Bochs opened it."""
        bochsrc.end_at_shutdown(self.process, self._directory.name)
        os.close(self._theirs)

    def __enter__(self) -> Bochs:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self._reader.join()
        os.close(self._terminal)
        self._directory.cleanup()

    def send(self, data: bytes) -> None:
        self.process.send_signal(signal.SIGCONT)
        os.write(self._terminal, data)

    def ask(self, line: str, timeout: float = TIMEOUT) -> str:
        """Behind the answer Bochs stands still up to what is sent next: an idle guest takes a CPU
        of the host."""
        answer = super().ask(line, timeout)
        self.process.send_signal(signal.SIGSTOP)
        return answer

    def is_running(self) -> bool:
        return self.process.poll() is None

    def report(self) -> str:
        with open(bochsrc.log_path(self._directory.name), errors="replace") as log:
            last = "".join(log.readlines()[-40:])
        with open(self._output, errors="replace") as output:
            return f"Bochs's log:\n{last}\nits output:\n{output.read()[-2000:]}\n{self.text}"

    def wait_exit(self, timeout: float = TIMEOUT) -> str:
        """Wait until Bochs ends by itself; return why, as bochsrc.end_reason() does."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"Bochs did not end\n{self.report()}") from None
        self._reader.join()
        return bochsrc.end_reason(self._directory.name)

    def deliveries(self) -> list[bochslog.Record]:
        """Return what the log has recorded since the last call."""
        with open(bochsrc.log_path(self._directory.name), "rb") as log:
            log.seek(self._log_read)
            text = log.read()
        self._log_read += len(text)
        return bochslog.parse(text.decode("ascii", "replace"))
