#!/usr/bin/python3
"""Measures how much time Nucleus adds to the power-on of one node, on libvirt and QEMU.

A: PUT poweron of a frontend with the tiny guest, until the event stream reports it as active.
B, the baseline: libvirt creates a domain from the XML that Nucleus generated, on the same libvirtd.
Name, UUID and metadata differ, so that Nucleus ignores it. Both are timed in this process. Only A
includes REST, the token check and three durable commits.
"""
import argparse
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import libvirt

from support.deployment import TIMEOUT_S, ROOT, deployment
from support.figures import judge, ms, p50, p99, show, show_load

CMDLINE = "console=ttyS0 quiet tsc=reliable no_timer_check mitigations=off"
GUEST = ROOT / "build" / "guest" / "tiny"


def node_state(events, state):
    return events.expect(rb'^scheduler\.node-changed (?=.*"state":"%s")()' % state)


def power_on(nucleus, events):
    """Seconds from the request to the response, and to `active`."""
    running = node_state(events, b"active")
    began = time.perf_counter()
    nucleus.ask("PUT", "/nucleus/v1/cluster/bench/frontend/poweron")
    answered = time.perf_counter() - began
    return answered, running.wait() - began


def power_off(nucleus, events):
    off = node_state(events, b"shutoff")
    nucleus.ask("PUT", "/nucleus/v1/cluster/bench/frontend/poweroff")
    off.wait()


def raw_xml(domain):
    """The XML of Nucleus's domain without what libvirt generated, for another domain."""
    text = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    root = ElementTree.fromstring(text)
    root.find("name").text = "raw"
    root.find("uuid").text = "00000000-1111-8222-8333-444444444444"
    root.remove(root.find("metadata"))
    return ElementTree.tostring(root, encoding="unicode")


def create_raw(connection, xml):
    began = time.perf_counter()
    domain = connection.createXML(xml)
    took = time.perf_counter() - began
    domain.destroy()
    return took


def wait_gone(connection):
    """Waits until libvirt has no domain left, so that taps and locks are free."""
    until = time.monotonic() + TIMEOUT_S
    while connection.listAllDomains():
        assert time.monotonic() < until, "a domain was not removed"
        time.sleep(0.01)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    subprocess.run([ROOT / "guest" / "make_tiny", GUEST], check=True)
    answers, whole, raw, added = [], [], [], []
    with deployment() as nucleus:
        connection = libvirt.open(nucleus.env["LIBVIRT_DEFAULT_URI"])
        nucleus.nucleus("image", "import", "demo/tiny", "--kernel", str(GUEST / "vmlinuz"),
                        "--initramfs", str(GUEST / "initramfs"), "--cmdline", CMDLINE)
        events = nucleus.events()
        nucleus.make_cluster(events, "bench", 0, "--image", "demo/tiny", "--memory-mb", "128")
        power_on(nucleus, events)
        xml = raw_xml(connection.listAllDomains()[0])
        for i in range(rounds + 1):
            power_off(nucleus, events)
            wait_gone(connection)
            baseline = create_raw(connection, xml)
            wait_gone(connection)
            answered, took = power_on(nucleus, events)
            if i > 0:  # the first round is a warm-up
                answers.append(answered)
                whole.append(took)
                raw.append(baseline)
                added.append(took - baseline)
        power_off(nucleus, events)
        wait_gone(connection)
        connection.close()
    print("power-on of one node, QEMU in software emulation:")
    show("request to response", answers)
    show("request to active (A)", whole)
    show("virDomainCreateXML of the same XML (B)", raw)
    show("A - B of adjacent runs", added)
    ratio = p50(whole) / p50(raw)
    judge("adds at most 20 ms (medians)", p50(whole) - p50(raw), 0.020, ms(p50(whole) - p50(raw)))
    judge("adds at most 60 ms (p99)", p99(whole) - p99(raw), 0.060, ms(p99(whole) - p99(raw)))
    judge("A at most 1.05 x B (medians)", ratio, 1.05, f"{ratio:.3f}")
    show_load()


if __name__ == "__main__":
    main()
