# SPDX-License-Identifier: MIT
"""A client of the store that speaks the protocol byte by byte (xen/io/xs_wire.h), shared by the suites."""
import collections
import socket
import struct

CONTROL, DIRECTORY, READ, WATCH, UNWATCH, START, END, INTRODUCE, RELEASE = 0, 1, 2, 4, 5, 6, 7, 8, 9
WRITE, RM, EVENT, ERROR, IS_INTRODUCED = 11, 13, 15, 16, 17
PAYLOAD_MAX = 4096

Message = collections.namedtuple("Message", "kind request tx body")


def head(kind, length, request=1, tx=0):
    return struct.pack("<IIII", kind, request, tx, length)


def pack(kind, payload, request=1, tx=0):
    return head(kind, len(payload), request, tx) + payload


class Client:
    def __init__(self, path, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.events = []

    def receive(self, count):
        data = b""
        while len(data) < count:
            part = self.sock.recv(count - len(data))
            if not part:
                raise EOFError("the connection ended")
            data += part
        return data

    def message(self):
        kind, request, tx, length = struct.unpack("<IIII", self.receive(16))
        return Message(kind, request, tx, self.receive(length))

    def reply(self):
        """The next message that is no event; events on the way are kept."""
        while True:
            message = self.message()
            if message.kind != EVENT:
                return message
            self.events.append(message.body)

    def ask(self, kind, payload, request=1, tx=0):
        self.sock.sendall(pack(kind, payload, request, tx))
        return self.reply()

    def ended(self):
        """Has the other side closed? Answers are thrown away."""
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return True
