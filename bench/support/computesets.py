"""Computesets on simulated hosts, and the same domains from libvirt's mock driver."""
import time

import libvirt

from support.figures import Run


def active(events, cluster, count):
    """Awaits the events that report `count` nodes of a cluster as active."""
    return events.expect(rb'^scheduler\.node-changed (?=.*"cluster_id":"' + cluster.encode() +
                         rb'")(?=.*"state":"active").*"node_id":"([^"]+)"', count)


def power_on(nucleus, events, cluster, count):
    """Starts and ends a computeset."""
    running = active(events, cluster, count)
    cpu = nucleus.cpu_seconds()
    began = time.perf_counter()
    started = nucleus.ask("POST", "/nucleus/v1/computeset/",
                          {"cluster": cluster, "count": count, "walltime_mins": 60})
    answered = time.perf_counter() - began
    took = running.wait() - began
    cpu = nucleus.cpu_seconds() - cpu
    computes = nucleus.ask("GET", f"/nucleus/v1/cluster/{cluster}/")["computes"]
    states = [compute["state"] for compute in computes]
    assert states.count("active") == count, states
    number = started["id"]
    ended = events.expect(rb'^scheduler\.computeset-changed (?=.*"computeset_id":%d\b)'
                          rb'(?=.*"state":"completed")()' % number)
    nucleus.ask("PUT", f"/nucleus/v1/computeset/{number}/poweroff")
    ended.wait()
    return Run(answered, took, cpu)


def create_raw(count):
    """Seconds to create the same domains with libvirt only."""
    texts = [f"<domain type='test'><name>raw-{i:04}</name><title>raw/{i:04}</title>"
             "<memory unit='MiB'>512</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"
             for i in range(count)]
    connection = libvirt.open("test:///default")
    began = time.perf_counter()
    domains = [connection.createXML(text) for text in texts]
    took = time.perf_counter() - began
    for domain in domains:
        domain.destroy()
    connection.close()
    return took
