"""A program that sends frames from a guest, and a frame to send with it."""
import socket
import struct
import subprocess


def make_sender(program):
    """Makes the program of send_frame.c."""
    source = __file__.rsplit("/", 1)[0] + "/send_frame.c"
    subprocess.run(["gcc-12", "-Os", "-nostdlib", "-static", "-ffreestanding",
                    "-fno-stack-protector", "-fno-asynchronous-unwind-tables",
                    "-Wl,--build-id=none", "-Wl,-z,norelro", "-s", "-o", program, source],
                   check=True)


def checksum_of(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def datagram(source, ports, payload):
    """A broadcast UDP datagram from (MAC, IPv4 address), without a checksum of its own, which is
    allowed."""
    mac, ip = source
    udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload

    def header(checksum):
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP,
                           checksum, socket.inet_aton(ip), b"\xff" * 4)
    own = bytes.fromhex(mac.replace(":", ""))
    return b"\xff" * 6 + own + b"\x08\x00" + header(checksum_of(header(0))) + udp


def arp_claim(mac, ip):
    """An unrequested ARP reply: this MAC has that address."""
    own = bytes.fromhex(mac.replace(":", ""))
    pair = own + socket.inet_aton(ip)
    return b"\xff" * 6 + own + bytes.fromhex("08060001080006040002") + pair + pair + b"\0" * 18
