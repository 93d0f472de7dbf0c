"""The double of ollama: one program with ollama's commands, store and HTTP API, and no model in it.

Packed by the hub into one executable file, which runs on the Macs with the standard library alone.
"""
