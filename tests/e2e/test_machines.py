"""Real virtual machines boot, are visible, stop, and leave nothing behind."""
import pathlib
import pwd
import subprocess

from conftest import start_time, wait_until
from console import Guest
from machines import TIMEOUT_S, Host, Rest, expected_taps, processes_of, run


def test_virsh_lists_the_domains_of_both_clusters(machines):
    names = {"left/left", "left/vm-left-00", "right/right", "right/vm-right-00"}
    assert names <= machines.host.domains()
    assert names <= set(machines.host.emulators())


def test_qemu_runs_in_its_sandbox_as_an_unprivileged_user(machines):
    for name, (pid, _) in machines.host.emulators().items():
        status = dict(line.split(":\t", 1) for line in
                      pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        assert "0" not in status["Uid"].split() + status["Gid"].split(), name
        assert int(status["CapEff"], 16) == 0 and status["NoNewPrivs"] == "1", name
        assert status["Seccomp"] == "2", name  # a filter


def test_qemu_can_change_no_image_and_sees_no_secret_of_the_deployment(machines):
    user = pwd.getpwnam("libvirt-qemu")
    pid = next(iter(machines.host.emulators().values()))[0]
    state = machines.deployment.state
    as_qemu = ["nsenter", "-t", str(pid), "-m", "setpriv", f"--reuid={user.pw_uid}",
               f"--regid={user.pw_gid}", "--clear-groups"]
    images = [file for file in (state / "images").rglob("*") if file.is_file()]
    assert images
    for file in images:
        assert file.stat().st_uid == 0
        assert subprocess.run([*as_qemu, "test", "-r", file]).returncode == 0, file
        assert subprocess.run([*as_qemu, "test", "-w", file]).returncode == 1, file
    for name in ("credentials.yaml", "config", "run", "redis"):
        assert (state / name).exists()
        assert subprocess.run([*as_qemu, "test", "-e", state / name]).returncode == 1, name


def test_running_nodes_are_active_on_this_host(machines):
    host_name = machines.deployment.status()["hosts"][0]["name"]
    for cluster in ("left", "right"):
        machines.rest.wait_state(cluster, "active")
        nodes = machines.rest.v2_nodes(cluster)
        assert {node["state"] for node in nodes.values()} == {"active"}
        assert {node["host_id"] for node in nodes.values()} == {host_name}
        compute = machines.rest.nodes(cluster)[f"vm-{cluster}-00"]
        assert compute["active_computeset_state"] == "running"
        assert compute["host"] == host_name


def test_each_port_of_a_running_node_is_one_tap_on_the_switch(machines):
    for cluster in ("left", "right"):
        wanted = expected_taps(machines.rest, machines.host, cluster)
        assert len(wanted) == 3  # two of the frontend, one of the compute
        assert wanted <= machines.host.taps()
        assert wanted <= set(machines.host.ports())


def test_a_guest_has_its_name_hosts_and_addresses(machines):
    with Guest(machines.rest, "left", "vm-left-00") as guest:
        assert guest.run("hostname").strip() == "vm-left-00"
        assert "10.0.0.2/24" in guest.run("ip -4 address show dev eth0")
        lines = [line.split() for line in guest.run("cat /etc/hosts").splitlines()]
        hosts = {words[1]: words[0] for words in lines if words and words[0].startswith("10.")}
    assert hosts == {"left": "10.0.0.1", "vm-left-00": "10.0.0.2"}


def test_power_off_removes_a_domain_with_its_taps_and_ports(machines):
    rest, host = machines.rest, machines.host
    machines.create("brief", 0)
    before = (host.domains(), host.taps(), set(host.ports()))
    rest.power("brief", "poweron")
    rest.wait_state("brief", "active")
    assert host.domains() - before[0] == {"brief/brief"}
    assert host.taps() - before[1] == expected_taps(rest, host, "brief")
    rest.power("brief", "poweroff")
    rest.wait_state("brief", "shutoff")
    assert (host.domains(), host.taps(), set(host.ports())) == before
    assert "brief/brief" not in host.emulators()


def test_a_guest_shuts_down_on_request(machines):
    rest = machines.rest
    machines.create("polite", 0)
    rest.power("polite", "poweron")
    rest.wait_state("polite", "active")
    with Guest(rest, "polite", "polite"):
        pass  # it has booted, and handles the power button
    rest.power("polite", "shutdown")
    # Well before a forced stop.
    rest.wait_state("polite", "shutoff", timeout_s=55)
    assert "polite/polite" not in machines.host.emulators()


def test_a_nodes_disk_outlives_a_power_off(machines, tmp_path):
    rest = machines.rest
    run("qemu-img", "create", "-f", "qcow2", tmp_path / "disk", "64M")
    machines.deployment.nucleus("image", "import", "disk", "--disk", tmp_path / "disk",
                                *machines.boots)
    machines.create("keeper", 0, image="disk")
    for command in ("echo kept > /dev/vda && sync", "head -c 5 /dev/vda"):
        rest.power("keeper", "poweron")
        rest.wait_state("keeper", "active")
        with Guest(rest, "keeper", "keeper") as guest:
            output = guest.run(command)
        rest.power("keeper", "poweroff")
        rest.wait_state("keeper", "shutoff")
    assert output.strip() == "kept"


def test_down_leaves_nothing_and_the_next_up_reports_what_ended(own_machines):
    deployment, rest, host = own_machines.deployment, own_machines.rest, own_machines.host
    own_machines.create("last", 1)
    rest.power("last", "poweron")
    number = rest.start("last", count=1)
    rest.wait_state("last", "active")
    processes = {**deployment.processes(), **host.emulators()}
    assert len(processes) == 14 + 2

    deployment.down()
    assert [name for name, (pid, start) in processes.items() if start_time(pid) == start] == []
    assert processes_of(deployment.state) == []
    assert host.namespace not in run("ip", "netns", "list")
    assert str(deployment.state) not in pathlib.Path("/proc/self/mountinfo").read_text()
    links = run("ip", "link")
    assert host.bridge not in links and f"n{host.short_id}-" not in links

    deployment.up()
    rest, host = Rest(deployment.env()), Host.of(deployment)
    assert host.domains() == host.taps() == set()
    rest.wait_state("last", "shutoff")
    # The frontend was not powered off on request, so it has a reason.
    assert rest.v2_nodes("last")["last"]["reason"]
    assert rest.computeset(number)["state"] == "completed"
    rest.power("last", "poweron")
    rest.wait_state("last", "active", ["last"])
    wait_until(lambda: host.domains() == {"last/last"}, "the frontend's domain", TIMEOUT_S)
