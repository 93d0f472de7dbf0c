"""The lab: a LAN of simulated Macs on one Linux machine. See docs/lab.md."""
