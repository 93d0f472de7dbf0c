"""mDNSResponder: sends a question to the name server that /etc/resolver names for its domain.

/etc/hosts comes first, as the C library reads it itself. A name that no file is about goes to the
servers that scutil was told of as the default ones; without any it does not exist, since the lab
has no other DNS. Read anew for each question, as resolver(5) of macOS promises.
"""

# ruff: noqa: PTH112, PTH118, PTH123, PTH208
# Importing pathlib takes as long as all of this does.

from __future__ import annotations

import os
import socket
import socketserver

import mac

ADDRESS = ("127.0.0.1", 53)
TIMEOUT_S = 5
HEADER = 12
NXDOMAIN, SERVFAIL = 3, 2


def name_in(question: bytes) -> str:
    """The name that a DNS message asks for, in small letters and without the last dot."""
    labels, at = [], HEADER
    while question[at]:
        length = question[at]
        labels.append(question[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += length + 1
    return ".".join(labels).lower()


def refusal(question: bytes, code: int) -> bytes:
    """The answer that says only why there is none."""
    end = HEADER
    while question[end]:
        end += question[end] + 1
    # an answer (80), recursion available (80); one question, nothing else
    flags = bytes((0x80 | question[2] & 0x79, 0x80 | code))
    return question[:2] + flags + b"\0\1" + bytes(6) + question[HEADER : end + 5]


def servers_for(name: str) -> list[tuple[str, int]]:
    """The name servers of the longest domain that the name is in, or the default ones."""
    folder = mac.path("/etc/resolver")
    domains = sorted(os.listdir(folder), key=len, reverse=True) if os.path.isdir(folder) else []
    for domain in domains:
        if name == domain.lower() or name.endswith(f".{domain.lower()}"):
            found = _servers_in(os.path.join(folder, domain))
            if found:
                return found
    return _default_servers()


def _servers_in(path: str) -> list[tuple[str, int]]:
    """The `nameserver` lines of one file, with its `port`."""
    port, addresses = 53, []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            word, _, value = line.strip().partition(" ")
            if word == "nameserver" and "." in value:
                addresses.append(value.strip())
            elif word == "port":
                port = int(value)
    return [(address, port) for address in addresses]


def _default_servers() -> list[tuple[str, int]]:
    """What `d.add ServerAddresses * …` of a service said to scutil."""
    folder = mac.path("/run/closet-lab/scutil")
    for key in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, key), encoding="utf-8") as lines:
            for line in lines:
                words = line.split()
                if words[:2] == ["ServerAddresses", "*"]:
                    return [(address, 53) for address in words[2:] if "." in address]
    return []


def answer(question: bytes) -> bytes:
    """Ask whoever is responsible; silence of all of them is a failure of the server."""
    servers = servers_for(name_in(question))
    if not servers:
        return refusal(question, NXDOMAIN)
    for server in servers:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outgoing:
            outgoing.settimeout(TIMEOUT_S)
            try:
                outgoing.connect(server)
                outgoing.send(question)
                return outgoing.recv(65535)
            except OSError:
                continue
    return refusal(question, SERVFAIL)


class Question(socketserver.BaseRequestHandler):
    """One datagram."""

    def handle(self) -> None:
        question, listening = self.request
        try:
            listening.sendto(answer(question), self.client_address)
        except (IndexError, OSError, ValueError) as problem:
            mac.warn(f"{self.client_address}: {problem}")


class Responder(socketserver.ThreadingUDPServer):
    """Each question in a thread of its own: one server that is silent holds nobody else up."""

    daemon_threads = True
    max_packet_size = 65535


def main() -> int:
    """Answer until the machine goes down."""
    with Responder(ADDRESS, Question) as responder:
        responder.serve_forever()
    return 0
