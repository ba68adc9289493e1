"""A campus: a Slurm outside of Nucleus whose cloud nodes are computes of a cluster."""
import os
import pathlib
import shutil
import subprocess
import tempfile

from conftest import BIN, ROOT, free_port, wait_until
from machines import run

SETTINGS = """
ResumeProgram={folder}/resume
SuspendProgram={folder}/suspend
ResumeFailProgram={folder}/suspend
SuspendTime=3
SuspendTimeout=10
ResumeTimeout={resume_timeout_s}
SuspendExcNodes=local
SlurmctldParameters=power_save_interval=1,power_save_min_interval=1
PrivateData=cloud
NodeName={nodes} NodeHostname={machine} NodeAddr=127.0.0.1 Port=[{ports}] RealMemory=64 State=CLOUD
PartitionName=burst Nodes={nodes} MaxTime=60 State=UP OverSubscribe=EXCLUSIVE
"""


class Campus:
    """Its nodes have the names of the cluster's computes. No slurmd runs in the tiny guests: as
    soon as Nucleus says that a node is active, one is started here in place of the guest's, and
    it is killed when the node is active no longer."""

    def __init__(self, rest, cluster, nodes, resume_timeout_s=90):
        self.rest, self.cluster = rest, cluster
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nuc-campus-"))
        self.env = {"PATH": os.environ["PATH"], "SLURM_CONF": str(self.folder / "slurm.conf")}
        self.token = self.folder / "token"
        self.log = self.folder / "burst.log"
        self.guests = {}
        self.slurm = None
        self.nodes, self.resume_timeout_s = nodes, resume_timeout_s

    def __enter__(self):
        self.set_token(["read", "power"])
        for name in ("resume", "suspend"):
            self.install(name)
        # A range of ports needs neighbours: the kernel gives out others, from 32768 on.
        first = 20000 + os.getpid() % 5000 * 2
        (self.folder / "extra.conf").write_text(SETTINGS.format(
            folder=self.folder, nodes=self.nodes, ports=f"{first}-{first + 1}",
            resume_timeout_s=self.resume_timeout_s,
            machine=os.uname().nodename.partition(".")[0]))
        self.slurm = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", ROOT / "tools" / "private_slurm", self.folder,
             str(free_port()), f"local:{free_port()}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            wait_until((self.folder / "ready").exists, "the campus's Slurm", 60)
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.slurm:
            self.slurm.terminate()  # and all processes with its SLURM_CONF
            self.slurm.wait(timeout=60)
        for guest in self.guests.values():
            guest.wait(timeout=60)
        shutil.rmtree(self.folder)

    def set_token(self, rights):
        made = self.rest.ask("POST", "/v2/me/tokens", json={"label": "campus", "rights": rights})
        assert made.status_code == 201, made.text
        self.token.write_text(made.json()["token"] + "\n")
        self.token.chmod(0o600)

    def install(self, name):
        """The script of docs/examples with the values of this site, and a file for what `cm`
        prints."""
        script = (ROOT / "docs" / "examples" / f"slurm_{name}").read_text()
        for old, new in (("https://nucleus.example.org", self.rest.url),
                         ("/etc/slurm/nucleus.token", str(self.token)),
                         ("--cluster=demo", f"--cluster={self.cluster}"),
                         ("exec cm", f"exec 2>>{self.log} {BIN}/cm")):
            assert old in script, script
            script = script.replace(old, new)
        (self.folder / name).write_text(script)
        (self.folder / name).chmod(0o755)

    def run(self, *argv):
        return run(*argv, env=self.env).strip()

    def submit(self, *words):
        return self.run("sbatch", "--parsable", "--partition=burst", "--output=/dev/null",
                        "--chdir=/", *words)

    def job(self, job_id):
        return self.run("squeue", "--noheader", "--states=all", "--format=%T", "--jobs", job_id)

    def node(self, name):
        """Its state in Slurm, as `idle~`."""
        return self.run("sinfo", "--noheader", "--Node", "--nodes", name, "--format=%t").split()[0]

    def follow(self):
        """Starts and kills the guests' slurmds as Nucleus says."""
        states = self.rest.states(self.cluster)
        del states[self.cluster]  # the frontend
        for name, state in states.items():
            if state == "active" and name not in self.guests:
                self.guests[name] = subprocess.Popen(
                    ["slurmd", "-D", "-b", "-N", name], env=self.env, stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            elif state != "active" and name in self.guests:
                guest = self.guests.pop(name)
                guest.kill()
                guest.wait(timeout=60)

    def wait(self, is_true, what, timeout_s=120):
        def followed():
            self.follow()
            return is_true()
        return wait_until(followed, f"{what}; {self.logged()}", timeout_s)

    def logged(self):
        return self.log.read_text() if self.log.exists() else ""
