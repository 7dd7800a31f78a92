# SPDX-License-Identifier: MIT
"""The near end of the test channel: runs commands in the control domain over its second serial port.

The frames are described in images/agent.c. One thread reads the socket and hands frames to the commands they belong to,
so several commands may run at once.
"""
import itertools
import queue
import socket
import struct
import threading
import time
import zlib

MAGIC = 0x41554e54
HEADER = struct.Struct("<IHHII")
FRAME_MAX = 65536
RUN, STDIN, KILL, PING, HELLO, STDOUT, STDERR, EXIT, ERROR = 1, 2, 3, 4, 16, 17, 18, 19, 20


class AgentError(Exception):
    """The channel failed: no answer in time, or the machine went away. Never a command's own failure."""


class CommandFailed(Exception):
    """A command that had to succeed did not."""


def encode(kind, ident, payload=b""):
    tail = struct.pack("<HHI", kind, ident, len(payload))
    return struct.pack("<I", MAGIC) + tail + struct.pack("<I", zlib.crc32(tail + payload)) + payload


def decode(buffer):
    """Takes whole frames off the front of a bytearray; skips bytes that make none."""
    frames, at = [], 0
    magic = struct.pack("<I", MAGIC)
    while len(buffer) - at >= HEADER.size:
        word, kind, ident, length, crc = HEADER.unpack_from(buffer, at)
        if word != MAGIC or length > FRAME_MAX:
            at += 1
            at = buffer.find(magic[:1], at)
            if at < 0:
                at = len(buffer)
            continue
        end = at + HEADER.size + length
        if len(buffer) < end:
            break
        payload = bytes(buffer[at + HEADER.size:end])
        if zlib.crc32(bytes(buffer[at + 4:at + 12]) + payload) != crc:
            at += 1
            continue
        frames.append((kind, ident, payload))
        at = end
    del buffer[:at]
    return frames


class Command:
    """One command under way. Its output arrives in `stdout` and `stderr` as it is printed."""

    def __init__(self, agent, ident, text):
        self.agent, self.ident, self.text = agent, ident, text
        self.stdout, self.stderr = bytearray(), bytearray()
        self.changed = threading.Condition()
        self.status = None
        self.error = None

    def deliver(self, kind, payload):
        with self.changed:
            if kind == STDOUT:
                self.stdout += payload
            elif kind == STDERR:
                self.stderr += payload
            elif kind == EXIT:
                self.status = struct.unpack("<I", payload)[0]
            else:
                self.error = payload.decode(errors="replace")
            self.changed.notify_all()

    def write(self, data):
        for i in range(0, len(data), 2048):
            self.agent.send(STDIN, self.ident, data[i:i + 2048])

    def end_input(self):
        self.agent.send(STDIN, self.ident)

    def kill(self, signal=9):
        self.agent.send(KILL, self.ident, bytes([signal]))

    def _until(self, condition, timeout, what):
        end = time.monotonic() + timeout
        with self.changed:
            while not condition():
                if self.error:
                    raise AgentError("%s: %s" % (self.text, self.error))
                left = end - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    if condition():
                        break
                    raise AgentError("%s: %s not within %g s; so far it printed: %s"
                                     % (self.text, what, timeout, bytes(self.stdout + self.stderr)[-500:]))

    def wait(self, timeout):
        """Returns the exit status; kills the command and raises AgentError when it takes longer."""
        try:
            self._until(lambda: self.status is not None, timeout, "end")
        except AgentError:
            self.kill()
            raise
        self.agent.forget(self)
        return self.status

    def expect(self, pattern, timeout):
        """Waits until the standard output holds a match of the compiled bytes pattern; consumes up to its end."""
        found = []

        def matched():
            match = pattern.search(self.stdout)
            if match:
                found.append(match.groups() or (match.group(0),))
                del self.stdout[:match.end()]
            elif self.status is not None:
                raise AgentError("%s: ended with %d before printing %r" % (self.text, self.status, pattern.pattern))
            return bool(match)

        self._until(matched, timeout, "output %r" % pattern.pattern)
        return [g.decode(errors="replace") if g is not None else None for g in found[0]]


class Agent:
    def __init__(self, path):
        self.path = path
        self.socket = None
        self.idents = itertools.cycle(range(1, 65000))
        self.commands = {}
        self.lock = threading.Lock()
        self.hellos = queue.Queue()
        self.gone = None

    def connect(self, alive, timeout):
        """Connects and waits for the far end to speak; alive() says whether waiting still makes sense."""
        end = time.monotonic() + timeout
        while self.socket is None:
            link = socket.socket(socket.AF_UNIX)
            try:
                link.connect(self.path)
                self.socket = link
            except OSError:
                link.close()
                if not alive() or time.monotonic() > end:
                    raise AgentError("nobody listens on %s" % self.path)
                time.sleep(0.1)
        threading.Thread(target=self._reader, daemon=True).start()
        while True:
            try:
                # The first hello may have been sent before the line was open, so it is also asked for.
                self.hellos.get(timeout=2)
                return
            except queue.Empty:
                if not alive():
                    raise AgentError("the machine ended before the control domain's agent spoke")
                if time.monotonic() > end:
                    raise AgentError("the control domain's agent did not speak within %g s" % timeout)
                self.send(PING, 0)

    def _reader(self):
        buffer = bytearray()
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError as e:
                data, self.gone = b"", str(e)
            if not data:
                self.gone = self.gone or "the machine ended"
                for command in list(self.commands.values()):
                    command.deliver(ERROR, self.gone.encode())
                return
            buffer += data
            for kind, ident, payload in decode(buffer):
                if kind == HELLO:
                    self.hellos.put(payload)
                elif ident in self.commands:
                    self.commands[ident].deliver(kind, payload)

    def send(self, kind, ident, payload=b""):
        if self.gone:
            raise AgentError(self.gone)
        try:
            with self.lock:
                self.socket.sendall(encode(kind, ident, payload))
        except OSError as e:
            raise AgentError("the machine ended: %s" % e)

    def forget(self, command):
        self.commands.pop(command.ident, None)

    def start(self, text, stdin=False):
        """Starts a shell command and returns it at once. With stdin=True its input is what write() sends."""
        ident = next(i for i in self.idents if i not in self.commands)
        command = Command(self, ident, text)
        self.commands[ident] = command
        self.send(RUN, ident, bytes([1 if stdin else 0]) + text.encode())
        return command

    def run(self, text, timeout=60, stdin=None):
        """Runs a shell command to its end: (status, standard output, standard error), both as text."""
        command = self.start(text, stdin is not None)
        if stdin is not None:
            command.write(stdin)
            command.end_input()
        status = command.wait(timeout)
        return status, command.stdout.decode(errors="replace"), command.stderr.decode(errors="replace")

    def check(self, text, timeout=60, stdin=None):
        """As run(), but a status other than 0 raises CommandFailed; returns the standard output."""
        status, out, err = self.run(text, timeout, stdin)
        if status != 0:
            raise CommandFailed("%s: status %d\n%s%s" % (text, status, out[-1000:], err[-2000:]))
        return out

    def put(self, data, path, mode=0o644):
        """Writes bytes to a file of the control domain."""
        self.check("cat >%s && chmod %o %s" % (path, mode, path), 120, data)

    def close(self):
        if self.socket:
            self.socket.close()
