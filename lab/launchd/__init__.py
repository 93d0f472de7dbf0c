"""A launchd for simulated Macs: pid 1 of every lab host, and the launchctl that talks to it."""
