"""Accounts without rights that try to steer what root does on a simulated Mac, and their tools."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab import state
from lab.host import pid_one
from tests.lab.conftest import ENVIRONMENT, ROOT, Done, as_root

HOSTILE = (Path(__file__).parent / "hostile.py").read_text()
TRAPPED = "/var/tmp/trapped"
BAIT = "/etc/bait"
PYTHON = ("/usr/bin/python3", "-I", "-c", HOSTILE)
#: the first run builds what serves; on a busy machine that takes minutes
FIRST_RUN_S = 900
#: one that waits for a FIFO's other end never ends; every other one does long before
HANGS_AFTER_S = 400


@dataclass(frozen=True)
class Attack:
    """Something else at a path: link, hard, fifo, folder, or text with `target` in it."""

    path: str
    kind: str
    target: str = ""


class Busy:
    """A program of an account's that goes on while something else does, and is ended by us."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = argv
        self.process: subprocess.Popen[str] | None = None
        self.outcome: dict[str, Any] = {"swaps": 0, "count": 0, "won": []}

    def start(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(self.argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        assert self.process.stdout is not None
        ready = self.process.stdout.readline()
        assert ready == "ready\n", self.process.communicate(timeout=30)

    def stop(self) -> None:
        """Close its standard input, at which it puts right what it holds, and ends."""
        if self.process is not None:
            said, wrong = self.process.communicate(timeout=30)
            assert self.process.returncode == 0, wrong
            self.outcome = json.loads(said)
            self.process = None

    def __enter__(self) -> Busy:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass(frozen=True)
class Account:
    """An account that is no administrator, on one host."""

    host: str
    name: str
    uid: int
    home: str
    gid: int = 20
    token: str = field(default_factory=lambda: secrets.token_hex(12))

    def make(self) -> None:
        """Create it with its home, and put what is worth stealing or breaking into root's reach."""
        line = f"{self.name}:*:{self.uid}:{self.gid}::{self.home}:/usr/bin/false"
        home = shlex.quote(self.home)
        as_root(
            self.host,
            f"echo {shlex.quote(line)} >> /etc/passwd; mkdir -p {home}; "
            f"chown {self.uid}:{self.gid} {home}; mkdir -p -m 755 {BAIT} {BAIT}/folder; "
            f"mkdir -m 1777 {TRAPPED}; {self.bait()}",
        )

    def bait(self) -> str:
        """A command that writes what is worth stealing, and what is worth changing."""
        whole = shlex.quote(json.dumps(self.canary_json))
        return (
            f"umask 077; echo {self.canary} > {BAIT}/canary.txt; "
            f"echo {whole} > {BAIT}/canary.json; umask 022; "
            f"echo '# of root' | tee {BAIT}/folder/file > {BAIT}/profile"
        )

    @property
    def canary(self) -> str:
        """What only root knows. In lower case, since a host name in a Caddyfile becomes that."""
        return f"canary{self.token}"

    @property
    def mark(self) -> str:
        """What only this account writes."""
        return f"written-by-{self.name}-{self.token}"

    @property
    def canary_json(self) -> dict[str, Any]:
        """The same in the shape of tailscaled's state."""
        return {"_machinekey": self.canary, f"profile-{self.canary}": {"key": self.canary}}

    @property
    def trap(self) -> str:
        """A program that records whose rights it ran with."""
        return (
            f"#!/bin/sh\n# {self.mark}\n"
            f'u=$(/usr/bin/id -u); echo "$0 $*" >> {TRAPPED}/$u.$$\nexit 0\n'
        )

    def argv(self, said: dict[str, Any], as_user: bool = True) -> list[str]:
        running = state.load()
        assert running is not None
        pid = pid_one(running.machines[self.host])
        who = ("--setuid", str(self.uid), "--setgid", str(self.gid)) if as_user else ()
        enter = ("nsenter", "--target", str(pid), "--mount", "--pid", "--root", "--wd", *who)
        environment = ("env", "-i", f"HOME={self.home}", "PATH=/usr/bin:/bin")
        return [*enter, "--", *environment, *PYTHON, json.dumps(said)]

    def act(self, verb: str, as_user: bool = True, **said: Any) -> dict[str, Any]:
        """Do one thing of hostile.py on the host, with this account's rights or with root's."""
        done = subprocess.run(
            self.argv({"verb": verb, **said}, as_user),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def plant(self, attacks: Sequence[Attack]) -> list[Attack]:
        """Prepare attacks with the account's own rights; returns those that it could.

        Hard links are made by root: Linux refuses to link what is not one's own
        (fs.protected_hardlinks). XNU does not: its vnode_authorize(KAUTH_VNODE_LINKTARGET) asks
        for nothing but that the file is not immutable. They only go where the account may write.
        """
        failed: dict[str, str] = {}
        for hard in (False, True):
            chosen = [asdict(attack) for attack in attacks if (attack.kind == "hard") == hard]
            uid = self.uid if hard else None
            if chosen:
                done = self.act("plant", as_user=not hard, attacks=chosen, uid=uid)
                failed.update(done["failed"])
        return [attack for attack in attacks if attack.path not in failed]

    def heal(self, attacks: Sequence[Attack]) -> None:
        """Put the account's files right again."""
        self.act("heal", as_user=False, paths=[attack.path for attack in attacks])

    def swapping(self, pairs: Sequence[tuple[str, str]], hold: bool = False) -> Busy:
        """Swap paths with links to what is root's while something else goes on."""
        grabs = sorted({target for _, target in pairs} | {"/opt/closet/bin", "/etc/sudoers.d"})
        words = {"pairs": pairs, "grabs": grabs, "trap": self.trap, "hold": hold}
        return Busy(self.argv({"verb": "swap", **words}))

    def insisting(self, after: str, attacks: Sequence[Attack]) -> Busy:
        """From the moment that `after` is made or changed, keep ours in place."""
        chosen = [asdict(attack) for attack in attacks]
        return Busy(self.argv({"verb": "insist", "after": after, "attacks": chosen}))

    def lay_traps(self) -> None:
        """Put programs and modules of the account's where a careless search would find them."""
        module = (
            f"# {self.mark}\nimport os\n"
            f"open('{TRAPPED}/%d.%d' % (os.getuid(), os.getpid()), 'a').write(__file__ + '\\n')\n"
        )
        attacks = [
            Attack(f"{self.home}/{folder}/{name}", "text", self.trap)
            for folder in ("bin", ".local/bin", ".omlx")
            for name in ("python3", "sh", "cp", "caddy", "closet-omlx-drain", "npm", "uv")
        ]
        libraries = (".local/lib/python3.9/site-packages", ".local/lib/python3.11/site-packages")
        for folder in (*libraries, ".omlx"):
            for name in ("sitecustomize.py", "usercustomize.py"):
                attacks.append(Attack(f"{self.home}/{folder}/{name}", "text", module))
        site = f"{self.home}/{libraries[0]}/sitecustomize.py"
        line = f"import os; exec(open({site!r}).read())"
        attacks += [Attack(f"{self.home}/{folder}/trap.pth", "text", line) for folder in libraries]
        assert self.plant(attacks) == attacks
        programs = " ".join(f"{self.home}/{folder}/*" for folder in ("bin", ".local/bin"))
        as_root(self.host, f"chmod 755 {programs}")


def ansible(
    *words: str,
    begin: Sequence[tuple[int | str, Callable[[], None]]] = (),
    limit_s: float = HANGS_AFTER_S,
) -> Done:
    """Run a playbook with everything shown; `begin` is what to do when so many tasks
    have begun, or when the one after a task whose name has this text in it does.

    One that does not end is ended, see `hung`.
    """
    seen, tasks, waiting = [], [], list(begin)
    argv = ["timeout", "--kill-after=5", str(limit_s), "ansible-playbook", *words]
    with subprocess.Popen(
        [*argv, "--diff", "-vvv"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as playing:
        assert playing.stdout is not None
        for line in playing.stdout:
            seen.append(line)
            if not line.startswith("TASK ["):
                continue
            tasks.append(line)
            while waiting and _is_due(waiting[0][0], tasks):
                waiting.pop(0)[1]()
    return Done(playing.returncode, "".join(seen))


def _is_due(when: int | str, tasks: Sequence[str]) -> bool:
    if isinstance(when, int):
        return len(tasks) >= when
    return any(when in line for line in tasks[:-1]) and when not in tasks[-1]


def hung(done: Done) -> bool:
    """Whether the run had to be ended."""
    return done.code in (124, 137)


def crashes(done: Done) -> list[str]:
    """The tracebacks of our own programs; a message may quote a server's log, which has others."""
    parts = done.output.split("Traceback (most recent call last)")[1:]
    first = [re.search(r'File \\*"([^"\\]+)', part) for part in parts]
    return [
        part[:2000]
        for part, frame in zip(parts, first, strict=True)
        if frame is None or not frame[1].startswith("/opt/closet/")
    ]


def messages(done: Done, host: str) -> str:
    """What a failed run says about one host, on one line, since it may be broken anywhere.

    A task that runs once speaks for all hosts: then its lines that name the host count.
    """
    # the arguments of a module, in front of its message, may have empty lines in them
    ends = r"\nPLAY|\nTASK|\n[a-z]+: \[|\n<|\Z"
    fatal = rf"(?s)(?:fatal|failed): \[([^\]]+)\](.*?)(?={ends})"
    found: list[str] = []
    for who, text in re.findall(fatal, done.output):
        lines = text.rpartition("\n    msg:")[2].splitlines()
        about = rf"\b{re.escape(host)}\b"
        found += lines if who == host else [line for line in lines if re.search(about, line)]
    return " ".join(" ".join(found).split())


REMEDY = re.compile(r"(?<![\w/.])(rm|mv|chown|chmod|chflags|mkdir|ls|move|remove)\b")


def unexplained(done: Done, account: Account, attacks: Sequence[Attack]) -> list[str]:
    """What a refusal leaves out: it names the path, whose it is and what to run.

    The host is in front of it, by Ansible, or in the line that speaks of it.
    """
    said = messages(done, account.host)
    named = [attack.path for attack in attacks if attack.path in said]
    if not named:
        return [f"{account.host}: no path that was attacked is named: {said[-1500:]}"]
    # the path has the owner's name in it, and the command line has the host's
    words = said
    for path in named:
        words = words.replace(path, "")
    wanted = {
        "the owner": account.name in words or f"uid {account.uid}" in words,
        "what to run": bool(REMEDY.search(words)),
        "a sentence in place of a traceback": "Traceback" not in done.output,
    }
    return [
        f"{named[0]}: the refusal lacks {what}: {said[-1500:]}"
        for what, found in wanted.items()
        if not found
    ]


def file_kinds(home: str) -> list[tuple[str, str]]:
    """What can stand where a run expects a file: kind and target."""
    return [
        ("link", f"{BAIT}/canary.txt"),
        ("link", f"{BAIT}/canary.json"),
        ("link", f"{home}/nowhere"),
        ("hard", f"{BAIT}/canary.json"),
        ("fifo", ""),
        ("folder", ""),
        ("link", f"{BAIT}/profile"),
    ]


def rounds(
    paths: Sequence[str], kinds: Sequence[tuple[str, str]], shift: int = 0
) -> list[list[Attack]]:
    """As many sets of attacks as there are kinds: in each, every path meets another kind."""
    return [
        [
            Attack(path, *kinds[(number + turn + shift) % len(kinds)])
            for number, path in enumerate(paths)
        ]
        for turn in range(len(kinds))
    ]


def forget_the_choice() -> None:
    """A switch of profiles is remembered beside the inventory, for whoever comes next."""
    (ROOT / "inventories/lab/.closet/attic.json").unlink(missing_ok=True)
