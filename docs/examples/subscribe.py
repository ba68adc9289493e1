#!/usr/bin/env python3
"""Prints events as they happen: `. DIR/env`, then `subscribe.py demo/`, or a longer prefix."""
import os
import sys

import msgpack
import zmq

socket = zmq.Context().socket(zmq.SUB)
socket.curve_serverkey = os.environ["NUCLEUS_EVENTS_SERVER_KEY"].encode()
socket.curve_publickey = os.environ["NUCLEUS_EVENTS_PUBLIC_KEY"].encode()
socket.curve_secretkey = os.environ["NUCLEUS_EVENTS_SECRET_KEY"].encode()
socket.subscribe(sys.argv[1])
socket.connect(os.environ["NUCLEUS_EVENTS"])
while True:
    topic, envelope, body = socket.recv_multipart()
    number = msgpack.unpackb(envelope)["event_id"]
    print(number, topic.decode(), msgpack.unpackb(body), flush=True)
