#!/usr/bin/env python3
"""Checks a certificate of overhead: its signature, and each verdict from the raw samples.

    cm comet overhead CLUSTER export > certificate.json
    verify_certificate.py certificate.json PUBLIC_KEY

PUBLIC_KEY is `public_key` of GET /v2/overhead/key, from a source that you trust. Needs
python3-cryptography.
"""
import json
import math
import statistics
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ERROR_MAX = 0.05  # of all intervals of a figure together
FRACTIONS = {"native", "virtual", "noise_first", "noise_second", "native_median", "virtual_median",
             "median", "low", "high", "confidence", "half_width_max", "threshold"}


def lines_of(path, value, is_fraction=False):
    """The lines of the canonical text, `PATH=VALUE` each."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from lines_of(f"{path}/{name}", member, name in FRACTIONS)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from lines_of(f"{path}/{index}", member, is_fraction)
    elif isinstance(value, bool):
        yield f"{path}={'true' if value else 'false'}"
    else:
        yield f"{path}={format(float(value), '.17g') if is_fraction else value}"


def canonical_text(certificate):
    content = {name: value for name, value in certificate.items() if name != "signature"}
    lines = sorted(line[1:].encode() for line in lines_of("", content))
    return b"nucleus overhead certificate 1\n" + b"".join(line + b"\n" for line in lines)


def looks_of(pairs_max):
    """The numbers of pairs at which a verdict may be given."""
    looks, pairs = [], 8
    while pairs < pairs_max:
        looks.append(pairs)
        pairs *= 2
    return looks + [pairs_max]


def interval_of(values, error):
    """(low, high) of the median by order statistics; None if there are too few values."""
    count, rank, below = len(values), 0, 0
    while rank < count // 2:
        below += math.comb(count, rank)
        if 2 * below / 2 ** count > error:
            break
        rank += 1
    ordered = sorted(values)
    return (ordered[rank - 1], ordered[count - rank]) if rank else None


def verdict_of(figure, pairs_max):
    looks = looks_of(pairs_max)
    error = ERROR_MAX / len(looks)
    ratios = [v / n for v, n in zip(figure["virtual"], figure["native"])]
    noise = [b / a for a, b in zip(figure["noise_first"], figure["noise_second"])]
    interval = interval_of(ratios, error)
    if len(ratios) not in looks or not interval:
        return "undecided"
    low, high = interval
    median = statistics.median(ratios)
    quiet = interval_of(noise, error)
    if max(high - median, median - low) / median > figure["half_width_max"]:
        return "undecided"
    if quiet and not quiet[0] <= 1 <= quiet[1]:
        return "undecided"
    threshold, is_larger = figure["threshold"], figure["direction"] == "larger"
    if low >= threshold if is_larger else high <= threshold:
        return "within"
    is_beyond = high < threshold if is_larger else low > threshold
    return "exceeded" if is_beyond else "undecided"


def faults_of(certificate, key):
    """What is wrong with the certificate, a line each."""
    if certificate["public_key"] != key:
        yield "it was signed with another key"
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(
            bytes.fromhex(certificate["signature"]), canonical_text(certificate))
    except InvalidSignature:
        yield "the signature is wrong"
    for figure in certificate["figures"]:
        if figure["verdict"] == "refused":  # no ratio, so no verdict
            continue
        verdict = verdict_of(figure, certificate["pairs_max"])
        if verdict != figure["verdict"]:
            yield f"{figure['measurement']}: {figure['verdict']}, but its samples say {verdict}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        certificate = json.load(file)
    faults = list(faults_of(certificate, sys.argv[2]))
    for fault in faults:
        print(fault)
    if not faults:
        print(f"certificate {certificate['certificate_id']}: the signature and "
              f"{len(certificate['figures'])} verdicts are right")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
