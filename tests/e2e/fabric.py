"""An InfiniBand fabric of a test's own: a real OpenSM on ibsim, and the adapters of a host in a
generated sysfs."""
import os
import pathlib
import signal
import subprocess

from conftest import wait_until


class Fabric:
    """One switch; port 0 is the subnet manager's, the others belong to adapters of hosts."""

    def __init__(self, folder, port_count):
        self.folder = pathlib.Path(folder)
        self.name = f"nucleus-{os.getpid()}-{port_count}"
        self.guids = [f"0x{0x0002c90300000000 + i * 16 + 1:016x}" for i in range(port_count)]
        (self.folder / "ib0").mkdir()
        (self.folder / "ib0" / "opensm.conf").write_text("force_log_flush TRUE\n")
        (self.folder / "net").write_text(self.topology())
        self.make_tools()
        self.simulator = self.start("ibsim", "-s", str(self.folder / "net"), stdin=subprocess.PIPE)
        wait_until(lambda: "sim> " in self.output("ibsim"), "ibsim")
        self.manager = None
        self.start_manager()

    def topology(self):
        ports = range(len(self.guids))
        switch = "".join(f'[{i + 1}]\t"h{i}"[1]\n' for i in ports)
        cards = "".join(f'\ncaguid=0x{0x0002c90300000000 + i * 16:016x}\nHca\t1 "h{i}"\n'
                        f'[1]({self.guids[i]})\t"switch"[{i + 1}]\n' for i in ports)
        return f'Switch\t{len(self.guids) + 1} "switch"\n{switch}{cards}'

    def make_tools(self):
        """The tools of infiniband-diags, on this fabric."""
        (self.folder / "tools").mkdir()
        for tool in ("ibnetdiscover", "smpquery", "sminfo", "saquery"):
            script = self.folder / "tools" / tool
            script.write_text(f"#!/bin/sh\nexport SIM_HOST=${{SIM_HOST:-h0}} "
                              f'IBSIM_SOCKNAME={self.name}\nexec ibsim-run {tool} "$@"\n')
            script.chmod(0o700)

    def start(self, *argv, **more):
        environment = os.environ | {"SIM_HOST": "h0", "IBSIM_SOCKNAME": self.name,
                                    "OSM_TMP_DIR": str(self.folder),
                                    "OSM_CACHE_DIR": str(self.folder)}
        name = argv[1] if argv[0] == "ibsim-run" else argv[0]
        with open(self.folder / f"{name}.out", "w", encoding="utf-8") as output:
            return subprocess.Popen(argv, stdout=output, stderr=output, env=environment,
                                    **({"stdin": subprocess.DEVNULL} | more))

    def output(self, name):
        return (self.folder / f"{name}.out").read_text()

    def start_manager(self):
        log = self.folder / "osm.log"
        log.unlink(missing_ok=True)
        self.manager = self.start(
            "ibsim-run", "opensm", "-F", str(self.folder / "ib0" / "opensm.conf"), "-P",
            str(self.folder / "ib0" / "partitions.conf"), "-f", str(log), "-D", "0x03",
            "--console", "off")
        (self.folder / "ib0" / "opensm.pid").write_text(f"{self.manager.pid}\n")
        wait_until(lambda: log.exists() and "SUBNET UP" in log.read_text(errors="replace"),
                   "OpenSM")

    def stop_manager(self):
        self.end(self.manager)

    @staticmethod
    def end(process):
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)

    def close(self):
        self.end(self.manager)
        self.end(self.simulator)

    def tool(self, name, *words, host="h0"):
        ran = subprocess.run([self.folder / "tools" / name, *words], text=True, timeout=20,
                             capture_output=True, check=False, env=os.environ | {"SIM_HOST": host})
        return ran.stdout

    def pkeys(self, port):
        """The entries of the port's table, as the port answers."""
        words = self.tool("smpquery", "pkeys", "-G", self.guids[port]).replace("|", " ").split()
        return {int(word, 16) for word in words if word.startswith("0x")} - {0}

    def has_path(self, source, target):
        """Whether the subnet manager answers the source with a path to the target."""
        gids = [f"fe80::{guid[2:6]}:{guid[6:10]}:{guid[10:14]}:{guid[14:18]}"
                for guid in (self.guids[source], self.guids[target])]
        answer = self.tool("saquery", "-p", "--sgid-to-dgid", "-".join(gids), host=f"h{source}")
        return "PathRecord" in answer

    def make_sysfs(self, folder, ports):
        """A sysfs with these ports as whole cards of mlx5; the text of `provisioner.adapters`."""
        functions = []
        for port in ports:
            address = f"0000:8{port}:00.0"
            device = pathlib.Path(folder) / "bus/pci/devices" / address
            card = device / "infiniband" / f"mlx5_{port}" / "ports/1"
            (card / "gids").mkdir(parents=True)
            guid = self.guids[port][2:]
            groups = ":".join(guid[i:i + 4] for i in range(0, 16, 4))
            (card / "gids/0").write_text(f"fe80:0000:0000:0000:{groups}\n")
            (card / "link_layer").write_text("InfiniBand\n")
            (device / "numa_node").write_text("0\n")
            (device / "sriov_numvfs").write_text("0\n")
            drivers = pathlib.Path(folder) / "bus/pci/drivers/mlx5_core"
            drivers.mkdir(parents=True, exist_ok=True)
            (device / "driver").symlink_to(drivers)
            functions.append(f"{address}=ib0")
        return " ".join(functions)
