"""What the programs of this folder share: deployments to measure, their events, and figures."""
