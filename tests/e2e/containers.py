"""Podman with its own storage and its own mount, network and PID namespaces: nothing of the
machine is used, and the kernel removes processes, mounts and networks with the namespaces, also if
the tests are killed. No registry is used: the base image is built here."""
import os
import pathlib
import shutil
import subprocess
import tempfile

from conftest import BIN, ROOT, wait_until

CONFIGURATION = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=8192:8192"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""
# Process 1 of the namespaces: it reaps orphans until its input ends. Podman keeps the records of
# its networks below /run, whatever its configuration says.
HOLDER = """
set -e
mkdir -p /run/containers /run/netns
mount -t tmpfs tmpfs /run/containers
mount -t tmpfs tmpfs /run/netns
ip link set lo up
echo ready
read -r
"""
# Podman's name server. Version 1.4 may keep running if two containers are removed at once.
NAME_SERVER = "aardvark-dns"


def run(*words, timeout=300, check=True, **more):
    ran = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                         stdin=more.pop("stdin", subprocess.DEVNULL), timeout=timeout, **more)
    if check:
        assert ran.returncode == 0, f"{words}: {ran.stdout[-3000:]}{ran.stderr[-3000:]}"
    return ran


def make_base():
    """A minimal Debian as an archive, built once: about 20 s and 170 MB."""
    base = ROOT / "build" / "compose" / "base.tar"
    if not base.exists():
        base.parent.mkdir(parents=True, exist_ok=True)
        fresh = base.with_suffix(".new.tar")
        run("mmdebstrap", "--variant=minbase", "bookworm", fresh, timeout=900)
        fresh.rename(base)
    return base


class Podman:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nuc-pod-"))
        (self.folder / "containers.conf").write_text(CONFIGURATION.format(folder=self.folder))
        (self.folder / "storage.conf").write_text(STORAGE.format(folder=self.folder))
        self.environment = {**os.environ,
                            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
                            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf")}
        self.unshare = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc",
             "bash", "-c", HOLDER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.unshare.stdout.readline() == "ready\n"
        pid = self.unshare.pid
        self.holder = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()

    def entering(self, *namespaces):
        """The words before a command that runs in these namespaces of the containers."""
        return ["nsenter", f"--target={self.holder}", *(f"--{one}" for one in namespaces), "--"]

    def inside(self, *words, **more):
        """Runs a command where the containers' ports are."""
        more.setdefault("env", self.environment)
        return run(*self.entering("mount", "net", "pid"), *words, **more)

    def podman(self, *words, **more):
        return self.inside("podman", *words, **more)

    def compose(self, *words, files=("compose.yml",), **more):
        options = [word for name in files for word in ("-f", ROOT / "compose" / name)]
        return self.inside("podman-compose", "-p", "nucleus", *options, *words, **more)

    def exec(self, service, *words, **more):
        """Runs a command in the container of a service."""
        return self.podman("exec", f"nucleus_{service}_1", *words, **more)

    def build(self):
        """The images of compose.yml, from its Dockerfile and the existing programs."""
        self.podman("import", make_base(), "localhost/nucleus-base")
        programs = [p.name for p in BIN.iterdir()
                    if p.name in ("nucleus", "portal", "cm", "comet") or
                    p.name.startswith("nucleus-") and not p.name.endswith("-tests")]
        archive = self.folder / "programs.tar"
        run("tar", "-C", BIN, "-cf", archive, "--transform", "s,^,programs/,", *programs)
        self.podman("import", archive, "localhost/nucleus-programs")
        # Packages are downloaded over the machine's network; the namespace has no uplink.
        build = [*self.entering("mount", "pid"), "podman", "build", "--format", "docker",
                 "--network", "host", "--build-arg", "BASE=localhost/nucleus-base",
                 "-f", ROOT / "compose" / "Dockerfile"]
        run(*build, "--target", "prebuilt", "--build-arg", "PROGRAMS=localhost/nucleus-programs",
            "-t", "nucleus", ROOT, env=self.environment, timeout=600)
        run(*build, "--target", "prometheus", "-t", "nucleus-prometheus", ROOT,
            env=self.environment, timeout=600)

    def containers(self):
        """The state of each existing container, by service."""
        listed = self.podman("ps", "-a", "--format", "{{.Names}} {{.State}}").stdout.split("\n")
        pairs = [line.split(" ", 1) for line in listed if line]
        return {name.removeprefix("nucleus_").removesuffix("_1"): state for name, state in pairs}

    def pid(self, service):
        """The pid of the container's first process, in the namespace; 0 if it is not running."""
        ran = self.podman("inspect", "-f", "{{.State.Pid}}", f"nucleus_{service}_1", check=False)
        return int(ran.stdout.strip() or 0)

    def is_healthy(self, service):
        """Runs the container's own health check, which nothing else does without systemd."""
        ran = self.podman("healthcheck", "run", f"nucleus_{service}_1", check=False)
        return ran.returncode == 0

    def log_tail(self):
        return "".join(
            f"\n--- {service} {state}\n" +
            self.podman("logs", "--tail", "5", f"nucleus_{service}_1", check=False).stderr[-1500:]
            for service, state in self.containers().items())

    def processes(self):
        """What runs in the namespaces, except process 1, the name server and this ps."""
        lines = self.inside("ps", "-eo", "pid=,args=").stdout.splitlines()
        return [line for line in lines if line.split()[0] != "1" and
                not any(name in line for name in (NAME_SERVER, "ps -eo"))]

    def wait_for_no_process(self, timeout_s):
        try:
            wait_until(lambda: not self.processes(), "no process of a container is left",
                       timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.processes()}") from error

    def remove(self):
        """Also removes what a failed test left."""
        self.unshare.communicate()
        shutil.rmtree(self.folder)
