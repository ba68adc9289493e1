"""Shared by the benchmarks: deployments, their events, and figures."""
