"""Latency without a device: what was measured, what its samples say, and how measuring goes on and stops."""
