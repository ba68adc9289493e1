#!/usr/bin/python3
"""How soon do 1,000 subscribers of the event stream learn of a change?

A: from a request that changes a cluster to the moment when the last of the subscribers (server-sent
events, each with a connection of its own) has read its event. B, the baseline: a process that does
nothing but send the same bytes to as many connections, to the same reader.
"""
import argparse
import multiprocessing
import select
import socket
import time

from support.deployment import deployment
from support.figures import judge, ms, p50, p99, show, show_load

TIMEOUT_S = 30
READ_BYTES = 64 * 1024


class Readers:
    """Connections that are read together, by one thread."""

    def __init__(self, connections):
        self.by_number = {one.fileno(): one for one in connections}
        self.poll = select.epoll()
        for one in connections:
            one.setblocking(False)
            self.poll.register(one, select.EPOLLIN)

    def await_text(self, text):
        """Returns when the last of them has read `text`, and the bytes that it came with."""
        missing = {number: b"" for number in self.by_number}
        until = time.perf_counter() + TIMEOUT_S
        read = b""
        while missing:
            ready = self.poll.poll(until - time.perf_counter())
            if not ready:
                raise TimeoutError(f"{len(missing)} subscribers have not read {text}")
            for number, _ in ready:
                bytes_read = self.by_number[number].recv(READ_BYTES)
                if not bytes_read:
                    raise ConnectionError("a stream has ended")
                if number not in missing:
                    continue
                read = missing[number] + bytes_read
                if text in read:
                    del missing[number]
                else:
                    missing[number] = read
        return time.perf_counter(), read


def subscribe(address, token, count):
    """Opens streams; each has answered."""
    host, _, port = address.rpartition(":")
    request = (f"GET /v2/events HTTP/1.1\r\nHost: {address}\r\n"
               f"Authorization: Token {token}\r\n\r\n").encode()
    connections = []
    for _ in range(count):
        one = socket.create_connection((host, int(port)), TIMEOUT_S)
        one.sendall(request)
        connections.append(one)
    for one in connections:
        answer = b""
        while b"retry:" not in answer:
            answer += one.recv(READ_BYTES)
            assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
    return connections


def send_to_all(listening, count, requests):
    """The baseline's process: sends each text that it is given to all its connections."""
    connections = [listening.accept()[0] for _ in range(count)]
    for text in iter(requests.recv, None):
        for one in connections:
            one.sendall(text)


def connect_baseline(count):
    """The pipe to the baseline's process, and the connections to it."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=count)
    requests, theirs = multiprocessing.Pipe()
    sender = multiprocessing.Process(target=send_to_all, args=(listening, count, theirs))
    sender.start()
    connections = [socket.create_connection(listening.getsockname()) for _ in range(count)]
    return sender, requests, connections


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--subscribers", type=int, default=1000)
    arguments = parser.parse_args()
    count = arguments.subscribers
    limits = ("CONNECTIONS_PER_ADDRESS_MAX", "STREAMS_MAX", "STREAMS_PER_PERSON_MAX")
    settings = {f"NUCLEUS_GATEWAY_{limit}": str(count + 200) for limit in limits}
    changed, sent, answered = [], [], []
    with deployment("--simulated", "--hosts", "1", settings=settings) as nucleus:
        nucleus.make_cluster(nucleus.events(), "live", 1)
        sender, requests, theirs = connect_baseline(count)
        try:
            subscribers = Readers(subscribe(nucleus.address, nucleus.env["NUCLEUS_TOKEN"], count))
            baseline = Readers(theirs)
            for number in range(arguments.rounds):
                text = f"change {number} of {arguments.rounds}."
                began = time.perf_counter()
                nucleus.ask("PATCH", "/v2/clusters/live", {"description": text})
                answered.append(time.perf_counter() - began)
                at, event = subscribers.await_text(text.encode())
                changed.append(at - began)

                began = time.perf_counter()
                requests.send(event)
                sent.append(baseline.await_text(text.encode())[0] - began)
        finally:
            requests.send(None)
            sender.join(TIMEOUT_S)
    show(f"the last of {count} subscribers has the event (A)", changed)
    show("  of that, until the request is answered", answered)
    show("the last connection has the same bytes (B)", sent)
    judge("the last one within 100 ms (p99)", p99(changed), 0.100,
          f"{ms(p99(changed))}, {p50(changed) / p50(sent):.1f} x B")
    show_load()


if __name__ == "__main__":
    main()
