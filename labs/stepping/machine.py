# SPDX-License-Identifier: MIT
"""A machine under the emulator that is stopped and looked into: its debugger's protocol, its memory, its console.

Memory is a file that both map, so that the whole frame table can be compared before and after a call; what lies at a guest's
addresses is asked of the emulator, which walks the tables of the processor that has stopped.
"""
import mmap
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

REGISTERS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip")
CPUS_MAX = 64


class Gone(Exception):
    """The machine has ended."""


class Debugger:
    """The protocol by which debuggers speak with the emulator."""

    def __init__(self, path):
        self.socket, self.buffer = self.connect(path), b""
        self.stopped_cpu = 0

    @staticmethod
    def connect(path):
        for _ in range(600):
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(path)
                return s
            except OSError:
                s.close()
                time.sleep(0.05)
        raise Gone("the emulator does not listen")

    def put(self, data):
        try:
            self.socket.sendall(data)
        except OSError as e:
            raise Gone(str(e)) from e

    def send(self, text):
        data = text.encode()
        self.put(b"$" + data + b"#%02x" % (sum(data) & 255))

    def receive(self):
        while True:
            match = re.match(rb"[+]*\$([^#]*)#..", self.buffer, re.S)
            if match:
                self.buffer = self.buffer[match.end():]
                self.put(b"+")
                return match.group(1).decode()
            try:
                data = self.socket.recv(65536)
            except OSError as e:
                raise Gone(str(e)) from e
            if not data:
                raise Gone("the emulator has ended")
            self.buffer += data

    def ask(self, text):
        self.send(text)
        return self.receive()

    def run(self, how):
        """Continue ("c") or take a step ("s"), until the machine stops."""
        answer = self.ask(how)
        while answer[:1] not in ("T", "S"):
            if answer[:1] in ("W", "X"):
                raise Gone("the machine has ended")
            answer = self.receive()
        match = re.search(r"thread:(?:p[0-9a-f]+\.)?([0-9a-f]+);", answer)
        self.stopped_cpu = int(match.group(1), 16) - 1 if match else 0

    def go_on(self):
        """From a place where a stop is set: over it by a step, which may end in another."""
        self.run("s")

    def registers(self):
        values = struct.unpack_from("<%dQ" % len(REGISTERS), bytes.fromhex(self.ask("g")))
        return dict(zip(REGISTERS, values))

    def read(self, address, size):
        """What lies there for the processor that has stopped; None if nothing is mapped."""
        answer = self.ask("m%x,%x" % (address & (1 << 64) - 1, size)) if size else ""
        if len(answer) != 2 * size:
            return None
        return bytes.fromhex(answer)

    def number(self, address, size=8):
        data = self.read(address, size)
        return None if data is None else int.from_bytes(data, "little")

    def stop_at(self, address):
        if self.ask("Z0,%x,1" % address) != "OK":
            raise Gone("no stop can be set at %x" % address)

    def no_stop_at(self, address):
        self.ask("z0,%x,1" % address)


class Machine:
    """The emulator with a guest as the control domain."""

    def __init__(self, hypervisor, guest, plugin, arguments="", options="", vcpus=1, memory=64, qemu="qemu-system-x86_64", ramdisk=None):
        self.folder = tempfile.TemporaryDirectory(prefix="step-")
        at = lambda name: os.path.join(self.folder.name, name)
        size = (memory + 192) << 20
        for name, length in (("memory", size), ("counts", 8 * CPUS_MAX)):
            with open(at(name), "wb") as f:
                f.truncate(length)
        append = "console=com1 com1=115200,8n1 loglvl=info guest_loglvl=info dom0_mem=%dM,max:%dM dom0_max_vcpus=%d %s" % (
            memory, memory, vcpus, options)
        modules = (guest + " " + arguments).strip() + (("," + ramdisk) if ramdisk else "")
        self.process = subprocess.Popen(
            [qemu, "-accel", "tcg", "-icount", "shift=0,sleep=off", "-cpu", "max", "-smp", str(vcpus), "-m", "%dM" % (memory + 192),
             "-object", "memory-backend-file,id=ram,share=on,size=%d,mem-path=%s" % (size, at("memory")), "-machine", "pc,memory-backend=ram",
             "-display", "none", "-monitor", "none", "-nodefaults", "-no-user-config", "-no-reboot", "-serial", "stdio",
             "-plugin", "%s,out=%s" % (plugin, at("counts")), "-S", "-gdb", "unix:%s,server=on,wait=off" % at("debugger"),
             "-kernel", hypervisor, "-append", append, "-initrd", modules],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.unfinished = b""
        try:
            self.memory, self.counts = self.map(at("memory")), self.map(at("counts"))
            self.debugger = Debugger(at("debugger"))
        except (OSError, Gone):
            sys.stderr.write("".join(line + "\n" for line in self.lines(True)))
            self.end()
            raise

    @staticmethod
    def map(path):
        with open(path, "r+b") as f:
            return mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)

    def count(self, cpu):
        """Instructions that the hypervisor has executed on a processor."""
        return struct.unpack_from("<Q", self.counts, 8 * cpu)[0]

    def lines(self, last=False):
        """What the console said since, line by line."""
        try:
            while chunk := os.read(self.process.stdout.fileno(), 65536):
                self.unfinished += chunk
        except BlockingIOError:
            pass
        *whole, self.unfinished = self.unfinished.split(b"\n")
        if last and self.unfinished:
            whole.append(self.unfinished)
            self.unfinished = b""
        said = [line.decode("utf-8", "replace").rstrip("\r") for line in whole]
        return [line for line in said if "icount sleep disabled" not in line]

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()
