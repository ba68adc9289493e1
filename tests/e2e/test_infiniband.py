"""InfiniBand from the request to the fabric: a real OpenSM on a simulated fabric, and a simulated
host whose adapters are ports of that fabric. Only the nodes are simulated: pkey tables and path
records come from ibsim and OpenSM."""
import pytest

from comet import run_comet
from conftest import a_deployment, wait_until
from fabric import Fabric
from http_client import Admin, operator_of

PORTS = 4  # the subnet manager's, and three of the host


class Site(Admin):
    def __init__(self, deployment, fabric, home):
        super().__init__(deployment)
        self.fabric = fabric
        self.home = home
        self.operator = operator_of(deployment)

    def create(self, cluster, computes):
        self.deployment.nucleus("cluster", "create", cluster, "--computes", str(computes),
                                "--infiniband")
        leases = wait_until(lambda: self.network(cluster), f"{cluster} has its partitions")
        return leases[0]["pkey"]

    def network(self, cluster):
        networks = self.get(f"/v2/clusters/{cluster}/networks")["networks"]
        return networks and networks[0]["fabrics"]

    def node(self, cluster, name):
        nodes = self.get(f"/v2/clusters/{cluster}/nodes")["nodes"]
        return next(node for node in nodes if node["name"] == name)

    def start(self, cluster, *names):
        """The number of their computeset."""
        answer = self.ask("POST", "/v2/computesets",
                          json={"cluster_id": cluster, "names": names, "walltime_mins": 60})
        assert answer.status_code == 201, answer.text
        return answer.json()["computeset_id"]

    def end(self, cluster, name):
        """Ends the computeset of the node."""
        number = self.node(cluster, name)["computeset_id"]
        answer = self.ask("POST", f"/v2/computesets/{number}/power", json={"action": "off"})
        assert answer.status_code in (200, 202), answer.text

    def wait_state(self, cluster, name, state):
        wait_until(lambda: self.node(cluster, name)["state"] == state, f"{name} is {state}")
        return self.node(cluster, name)

    def port_of(self, cluster, name):
        """The fabric's number of the port that the node has."""
        [leased] = self.node(cluster, name)["adapters"]
        return self.fabric.guids.index(leased["adapter"]["port_guid"])

    def wait_left(self, port, pkey):
        wait_until(lambda: (pkey | 0x8000) not in self.fabric.pkeys(port),
                   f"port {port} has left {pkey:#06x}")


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fabric")
    fabric = Fabric(folder, PORTS)
    try:
        (folder / "sys").mkdir()
        settings = {"NUCLEUS_NETWORK_FABRICS": "ib0:0x0100-0x010f",
                    "NUCLEUS_NETWORK_FABRIC_DIRECTORY": folder,
                    "NUCLEUS_NETWORK_FABRIC_TOOLS": folder / "tools",
                    "NUCLEUS_PROVISIONER_SYSFS": folder / "sys",
                    "NUCLEUS_PROVISIONER_ADAPTERS": fabric.make_sysfs(folder / "sys", (1, 2, 3))}
        with a_deployment("--simulated", "--hosts", "1", settings=settings) as deployment:
            site = Site(deployment, fabric, tmp_path_factory.mktemp("home"))
            site.pkeys = {"amber": site.create("amber", 3), "basil": site.create("basil", 1)}
            yield site
    finally:
        fabric.close()


def test_nodes_of_a_cluster_reach_each_other_and_no_others(site):
    amber, basil = (site.pkeys[name] | 0x8000 for name in ("amber", "basil"))
    site.start("amber", "vm-amber-00", "vm-amber-01")
    site.start("basil", "vm-basil-00")
    for name in ("vm-amber-00", "vm-amber-01"):
        site.wait_state("amber", name, "active")
    site.wait_state("basil", "vm-basil-00", "active")
    first, second = (site.port_of("amber", name) for name in ("vm-amber-00", "vm-amber-01"))
    other = site.port_of("basil", "vm-basil-00")
    assert {first, second, other} == {1, 2, 3}
    assert site.fabric.pkeys(first) == site.fabric.pkeys(second) == {0x7fff, amber}
    assert site.fabric.pkeys(other) == {0x7fff, basil}
    assert site.fabric.has_path(first, second)
    assert not site.fabric.has_path(first, other)
    assert not site.fabric.has_path(other, second)


def test_a_node_waits_until_an_adapter_has_left_its_partitions(site):
    number = site.start("amber", "vm-amber-02")
    wait_until(lambda: "room" in site.get(f"/v2/computesets/{number}")["reason"], "its reason")
    port, basil = site.port_of("basil", "vm-basil-00"), site.pkeys["basil"]
    site.end("basil", "vm-basil-00")
    site.wait_state("amber", "vm-amber-02", "active")
    assert site.port_of("amber", "vm-amber-02") == port
    assert site.fabric.pkeys(port) == {0x7fff, site.pkeys["amber"] | 0x8000}
    assert (basil | 0x8000) not in site.fabric.pkeys(port)
    assert site.fabric.has_path(port, site.port_of("amber", "vm-amber-00"))


def test_a_node_starts_only_when_its_port_has_joined(site):
    port = site.port_of("amber", "vm-amber-02")
    site.end("amber", "vm-amber-02")
    site.wait_left(port, site.pkeys["amber"])
    wait_until(lambda: site.node("basil", "vm-basil-00")["computeset_id"] == 0, "its set has ended")
    site.fabric.stop_manager()
    site.start("basil", "vm-basil-00")
    wait_until(lambda: "its InfiniBand adapters join its partitions: fabric ib0"
               in site.node("basil", "vm-basil-00")["reason"], "its reason")
    node = site.node("basil", "vm-basil-00")
    assert node["state"] != "active" and node["adapters"]
    shown = run_comet(site.home, site.deployment.env(), "why", "basil", "vm-basil-00")
    assert "join its partitions" in shown
    site.fabric.start_manager()
    site.wait_state("basil", "vm-basil-00", "active")
    assert (site.pkeys["basil"] | 0x8000) in site.fabric.pkeys(port)
    site.end("basil", "vm-basil-00")
    site.wait_left(port, site.pkeys["basil"])


def test_adapters_are_shown_to_admin_and_operator(site):
    site.wait_state("amber", "vm-amber-00", "active")
    port = site.port_of("amber", "vm-amber-00")
    host = site.operator.get("/v2/hosts/sim-0001")
    assert [adapter["port_guid"] for adapter in host["adapters"]] == site.fabric.guids[1:]
    shown = run_comet(site.home, site.deployment.env(), "network", "amber")
    assert site.fabric.guids[port] in shown
    listed = site.deployment.nucleus("fabric", "list").stdout.splitlines()
    name, state, ports, free, leased, quarantined = listed[1].split()[:6]
    assert (name, state, ports) == ("ib0", "in_sync", str(PORTS))
    assert (free, leased, quarantined) == ("14", "2", "0")


def test_a_removed_cluster_leaves_the_fabric(site):
    ports = [site.port_of("amber", name) for name in ("vm-amber-00", "vm-amber-01")]
    site.deployment.nucleus("cluster", "remove", "amber")
    for port in ports:
        site.wait_left(port, site.pkeys["amber"])
        wait_until(lambda at=port: site.fabric.pkeys(at) == {0x7fff}, f"port {port} is in none")
