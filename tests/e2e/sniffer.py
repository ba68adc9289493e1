"""Captures the frames that pass some ports of the switch.

As a program, in the network namespace of the switch: `sniffer.py PORT...` prints one line per
frame, `PORT in|out HEX`; `in` is from the guest into the switch. The first line is `ready`.
"""
import select
import socket
import struct
import subprocess
import sys
import threading
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4
SOL_PACKET = 263
PACKET_AUXDATA = 8
TP_STATUS_VLAN_VALID = 1 << 4


def receive(opened):
    """(frame, whether the machine sends it). The kernel takes a frame's VLAN tag out; it is put
    back."""
    frame, ancillary, _, address = opened.recvmsg(65536, 64)
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tag, protocol = struct.unpack("=IIIHHHH", data)
            if status & TP_STATUS_VLAN_VALID:
                frame = frame[:12] + struct.pack("!HH", protocol, tag) + frame[12:]
    return frame, address[2] == PACKET_OUTGOING


def main(ports):
    sockets = {}
    for port in ports:
        # With a protocol, it would receive from every port until it is bound to this one.
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        opened.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        opened.bind((port, ETH_P_ALL))
        sockets[opened] = port
    print("ready", flush=True)
    while True:
        for readable in select.select(list(sockets), [], [])[0]:
            frame, is_sent = receive(readable)
            print(sockets[readable], "out" if is_sent else "in", frame.hex(), flush=True)


class Sniffer:
    """Collects the frames at `ports`, which are taps in `namespace`."""

    def __init__(self, namespace, ports):
        self.command = ["ip", "netns", "exec", namespace, sys.executable, __file__, *ports]
        self.frames, self.news = [], threading.Condition()

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()

    def read(self):
        for line in self.process.stdout:
            port, way, words = line.split()
            with self.news:
                self.frames.append((port, way, bytes.fromhex(words)))
                self.news.notify_all()

    def ports_of(self, way, part):
        """The ports where frames with these bytes went in or out so far."""
        with self.news:
            return {port for port, seen, frame in self.frames if seen == way and part in frame}

    def wait(self, port, way, part, timeout_s=60):
        until = time.monotonic() + timeout_s
        with self.news:
            while not any(p == port and w == way and part in f for p, w, f in self.frames):
                left = until - time.monotonic()
                assert left > 0, f"no frame {way} at {port} with {part.hex()}"
                self.news.wait(left)


if __name__ == "__main__":
    main(sys.argv[1:])
