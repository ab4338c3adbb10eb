"""QMP, QEMU's machine protocol: commands, their answers, and the events in between."""

from __future__ import annotations

import json
import socket
import time
from collections import deque

LOADING_POLL = 0.01  # seconds


class QmpError(Exception):
    """QEMU has not done what it was asked for."""


class Refused(QmpError):
    """QEMU has answered that it will not."""


def options(descriptor: int) -> list[str]:
    """Return QEMU's options to serve QMP on the socket @descriptor, which it inherits."""
    return ["-chardev", f"socket,id=qmp,fd={descriptor}", "-qmp", "chardev:qmp"]


class Qmp:
    """A connection to one QEMU, which takes no other command before `qmp_capabilities`, and tells
    of no event."""

    def __init__(self, connection: socket.socket, timeout: float | None = None) -> None:
        """@connection is ours from now on. Each part of an answer may take @timeout seconds."""
        self._socket = connection
        self._socket.settimeout(timeout)
        self._unread = b""
        self._answers: deque[dict] = deque()
        self.events: list[dict] = []

    def fileno(self) -> int:
        """For select(): receive() would not wait."""
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def receive(self) -> bool:
        """Take what QEMU says next; return false at its end."""
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            data = b""  # it has ended with something of ours unread
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._take(line)
        return bool(data)

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise QmpError(f"this is not QMP: {line[:60]!r}")
        (self.events if "event" in message else self._answers).append(message)

    def ask(self, command: str, **arguments: object) -> None:
        """Send a command, and leave its answer to later."""
        request = json.dumps({"execute": command, "arguments": arguments})
        try:
            self._socket.sendall(request.encode() + b"\n")
        except OSError as error:
            raise QmpError(f"QEMU does not take {command}: {error}") from None

    def execute(self, command: str, **arguments: object) -> object:
        """Execute a command and return its answer."""
        self.ask(command, **arguments)
        while True:
            answer = self._answer(command)
            if "error" in answer:
                raise Refused(f"QEMU refuses {command}: {answer['error'].get('desc')}")
            if "return" in answer:  # else it is the greeting
                return answer["return"]

    def wait_for_state(self) -> None:
        """Wait until the state is loaded that QEMU was started with."""
        while self.execute("query-status")["status"] == "inmigrate":
            time.sleep(LOADING_POLL)

    def _answer(self, command: str) -> dict:
        try:
            while not self._answers:
                if not self.receive():
                    raise QmpError(f"QEMU has ended during {command}")
        except OSError as error:
            raise QmpError(f"QEMU does not answer {command}: {error}") from None
        return self._answers.popleft()
