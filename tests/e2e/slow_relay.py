"""A slow line in front of a port of the loopback, which a test can cut and mend."""
import contextlib
import socket
import threading

PIECE_BYTES = 16 * 1024


class SlowRelay:
    """Relays TCP connections to `port`; from the client at `bytes_per_s` for each of them."""

    def __init__(self):
        self.port, self.bytes_per_s, self.is_cut = None, None, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        # Few bytes wait in the kernel, so that the sender notices the line's speed.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * PIECE_BYTES)
        self.connections = set()
        self.is_closed = threading.Event()
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.relay, args=(client,), daemon=True).start()

    def relay(self, client):
        with client, contextlib.suppress(OSError):
            if self.is_cut:
                return
            with socket.create_connection(("127.0.0.1", self.port)) as server:
                both = (client, server)
                self.connections.add(both)
                answers = threading.Thread(target=self.pump, args=(server, client), daemon=True)
                answers.start()
                self.pump(client, server, is_slow=True)
                answers.join()
                self.connections.discard(both)

    def pump(self, source, target, is_slow=False):
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                if is_slow and self.bytes_per_s:
                    self.is_closed.wait(len(piece) / self.bytes_per_s)
                target.sendall(piece)
        self.end(source, target)

    @staticmethod
    def end(*connections):
        for one in connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Ends all connections; new ones are closed at once."""
        self.is_cut = True
        for both in list(self.connections):
            self.end(*both)

    def mend(self):
        self.is_cut = False

    def close(self):
        self.is_closed.set()
        self.cut()
        self.end(self.listener)
        self.listener.close()
        self.accepting.join()
