"""The parsers of what strangers send, under libFuzzer with the address and undefined-behaviour
sanitizers. Starts from valid inputs; the number of runs is fixed."""
import subprocess

import pytest

from conftest import ROOT

COMPILE_S = 900  # only bounds a failure
FUZZ_S = 900
FLAGS = ["-std=c++2b", "-O1", "-g", "-fsanitize=fuzzer,address,undefined",
         "-fno-sanitize-recover=all"]


def iso_image():
    iso = bytearray(20 * 2048)
    iso[16 * 2048:16 * 2048 + 7] = b"\x01CD001\x01"
    iso[17 * 2048:17 * 2048 + 7] = b"\xffCD001\x01"
    return bytes(iso)


def qcow2_image(folder):
    path = folder / "valid.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "1G"], check=True, timeout=60)
    return path.read_bytes()[:4096]


def images(folder):
    """The format and the size of the file stand before the bytes."""
    return [b"\x01\x00" + bytes(512), b"\x02\xff" + qcow2_image(folder), b"\x03\x00" + iso_image()]


def tool_outputs(_):
    """The format stands before the text."""
    texts = ['{"latency_us": 1.5, "ranks": [{"host": "a", "rank": 0}]}',
             '{"jobs": [{"jobname": "random_read", "error": 0, "read": {"iops": 5.0}}]}',
             "# OSU MPI Latency Test\n# Size  Latency (us)\n0  1.5\n8  1.6\n",
             "# Benchmarking PingPong\n#bytes #repetitions t[usec] Mbytes/sec\n8 1000 1.1 2.2\n",
             "Begin of Summary section.\nStarSTREAM_Triad=1.5\nSuccess=1\n",
             "     PWSCF  :  1.20s CPU  1.30s WALL\n!  total energy = -15.85 Ry\n   JOB DONE.\n"]
    return [bytes([format_number]) + text.encode() for format_number, text in enumerate(texts, 1)]


@pytest.mark.parametrize("name,sources,seeds,runs", [
    ("images", ["services/image_store/image_header.cpp", "services/image_store/iso_header.cpp"],
     images, 300_000),
    ("tool_output", ["services/provisioner/driver/tool_output.cpp"], tool_outputs, 60_000)],
    ids=["images", "tool_output"])
def test_any_bytes_are_parsed_within_the_limits(name, sources, seeds, runs, tmp_path):
    program = tmp_path / name
    compiled = subprocess.run(
        ["clang++-19", *FLAGS, f"-I{ROOT}", ROOT / "tests" / "fuzz" / f"{name}.cpp",
         *(ROOT / source for source in sources), "-lfmt", "-o", program],
        text=True, capture_output=True, timeout=COMPILE_S, check=False)
    assert compiled.returncode == 0, compiled.stderr
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for at, seed in enumerate(seeds(tmp_path)):
        (corpus / str(at)).write_bytes(seed)
    ran = subprocess.run(
        [program, f"-runs={runs}", "-seed=1", "-max_len=40962", "-timeout=60",
         "-malloc_limit_mb=64", "-rss_limit_mb=4096",  # of which most are the sanitizer's
         corpus], text=True, errors="replace", capture_output=True, timeout=FUZZ_S, check=False,
        cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert f"Done {runs} runs" in ran.stderr
    assert len(list(corpus.iterdir())) > 20, "the runs found nothing new: the seeds are not valid"
