"""Latency without a measurement: what a network asks of a device, over what the device can do."""
