# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the person's own shell knows: a part of the script, and messages.

Only that shell can tell which opencode comes first, since each has files of its own that set PATH.
It is started as a terminal starts it, without one, and with a limit: those files may wait for ever.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

OURS = "/usr/local/bin"
HOOK = "[ -r ~/.config/closet/env.sh ] && . ~/.config/closet/env.sh"
LIMIT_S = 10

# One line for every shell there is: no quote, no exclamation mark, no backslash. The first opencode
# before ours, or anywhere when our folder is not in PATH.
QUESTION = (
    "set -f; IFS=:; reaches=no; other=; "
    "for folder in $PATH; do "
    'if [ "$folder" = OURS ]; then reaches=yes; break; fi; '
    "program=$folder/opencode; "
    'if [ -n "$other" ] || [ "$program" -ef OURS/opencode ]; then continue; fi; '
    'case $program in /*) if [ -f "$program" ] && [ -x "$program" ]; then other=$program; fi;; '
    "esac; done; "
    "echo person_reaches=$reaches; "
    'if [ -n "$other" ]; then echo "person_other=$other"; '
    'if [ -w "${other%/*}" ]; then echo person_writes=yes; fi; '
    'echo "person_version=$("$other" --version </dev/null 2>/dev/null | head -n 1)"; fi; '
    "echo person_end="
).replace("OURS", OURS)

# Started by /bin/sh with the question; asks with the rights and the shell of whoever runs it.
# A login shell of tcsh takes no -l beside others. A terminal of Linux starts a shell inside of a
# login session, and bash has different files for the two. zsh -f reads /etc/zshenv alone, which may
# say where the person's files are.
PERL = r"""
use POSIX ();
my ($question, $limit) = @ARGV;
my ($name, $home, $shell) = (getpwuid $<)[0, 7, 8];
$shell ||= "/bin/sh";
my ($base) = $shell =~ m{([^/]*)$};
my $path = $^O eq "linux" ? "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
  : "/usr/bin:/bin:/usr/sbin:/sbin";
print "person_name=$name\nperson_home=$home\nperson_shell=$shell\n";
my $asked = "/bin/sh -c \x27$question\x27";
my @ways = $base =~ /csh$/ ? (["-$base", "-c", $asked], [$base, "-c", $asked])
  : $base eq "bash" && $^O eq "linux"
  ? ([$base, "-lc", "exec \"\$0\" -ic \"\$1\"", $shell, $asked])
  : ([$base, "-lic", $asked], [$base, "-c", $asked]);
sub answered {
  my @words = @_;
  pipe(my $in, my $out) or return 0;
  my $pid = fork;
  return 0 unless defined $pid;
  if (!$pid) {
    POSIX::setsid();
    open STDIN, "<", "/dev/null";
    open STDOUT, ">&", $out;
    open STDERR, ">", "/dev/null";
    chdir $home;
    %ENV = (HOME => $home, USER => $name, LOGNAME => $name, SHELL => $shell, TERM => "dumb",
      PATH => $path);
    exec { $shell } @words;
    POSIX::_exit(127);
  }
  close $out;
  my ($ended, $told, $text) = (0, 0, "");
  local $SIG{ALRM} = sub { kill "KILL", -$pid; die };
  eval {
    alarm $limit;
    while (!$ended && sysread $in, my $part, 4096) {
      $text .= $part;
      while (!$ended && $text =~ s/^(.*)\n//) {
        my $line = $1;
        if ($line =~ /^person_end=/) { $ended = 1 }
        elsif ($line =~ /^person_[a-z]+=/ && $told++ < 20) { print "$line\n" }
      }
      $text = "" if length $text > 4096;
    }
    alarm 0;
  };
  return $ended;
}
$| = 1;
for my $way (@ways) { last if answered(@$way) }
answered($base, "-fc", "print -r -- person_zdotdir=\$ZDOTDIR; echo person_end=")
  if $base eq "zsh";
"""
SHELL = f"as_person perl -e {shlex.quote(PERL.strip())} {shlex.quote(QUESTION)} {LIMIT_S}\n"


@dataclass(frozen=True)
class Person:
    """What their shell says; nothing where it said nothing.

    `other` is an opencode that comes before ours in PATH, `writes` whether they can move it.
    `reaches`: whether our folder is in PATH. `zdotdir` is where zsh looks for files of theirs.
    """

    name: str = ""
    home: str = ""
    shell: str = ""
    reaches: bool | None = None
    other: str = ""
    writes: bool = False
    version: str = ""
    zdotdir: str = ""


UNKNOWN = Person()


def script(name: str) -> str:
    """The part of the script for the person of that name, or for the user when it is empty."""
    who = shlex.quote(name)
    as_other = f'if [ "$(id -un)" != {who} ]; then set -- sudo -n -H -u {who} "$@"; cd /; fi; '
    return f'as_person() {{ ({as_other if name else ""}"$@" 2>/dev/null); }}\n{SHELL}'


def read(values: Mapping[str, str]) -> Person:
    """From the values of the script; the person decides what their shell prints."""

    def text(name: str, longest: int = 1000) -> str:
        value = values.get(f"person_{name}", "")
        return value[:longest] if value.isprintable() else ""

    return Person(
        name=text("name"),
        home=text("home"),
        shell=text("shell"),
        reaches={"yes": True, "no": False}.get(values.get("person_reaches", "")),
        other=text("other"),
        writes=values.get("person_writes") == "yes",
        version=text("version", 40),
        zdotdir=text("zdotdir"),
    )


def zsh_folders(person: Person) -> list[str]:
    """The folders from below the home to where zsh reads `.zshenv`; none when it is the home."""
    home, there = person.home, person.zdotdir
    below = posixpath.relpath(there, home) if there[:1] == "/" and home[:1] == "/" else "."
    if below == "." or below.split("/")[0] == "..":
        return []
    parts = below.split("/")
    return [posixpath.join(home, *parts[: end + 1]) for end in range(len(parts))]


def warnings(host: str, person: Person, ours: str) -> list[str]:
    """What the person should know; `ours` is the version of opencode that a run installed."""
    found = []
    if person.other:
        found.append(_other(host, person, ours))
    if person.reaches is False:
        found += _not_reached(host, person)
    elsewhere = posixpath.normpath(person.zdotdir or person.home) != posixpath.normpath(person.home)
    if elsewhere and not zsh_folders(person):
        found.append(
            f"{host}: zsh of {person.name} reads {person.zdotdir}/.zshenv, which is not in their "
            f"home, and no file there. `closet` and `opencode` work all the same, as programs in "
            f"{OURS}; for CLOSET_URL and `closet env`, this line belongs there: `{HOOK}`"
        )
    return found


def _other(host: str, person: Person, ours: str) -> str:
    sudo = "" if person.writes else "sudo "
    move = f"{sudo}mv -n {shlex.quote(person.other)} {shlex.quote(person.other + '.other')}"
    version = f" ({person.version})" if person.version else ""
    mine = f" ({ours})" if ours else ""
    return (
        f"{host}: in the shell of {person.name} ({person.shell}) `opencode` is {person.other}"
        f"{version}. It comes before the closet's, {OURS}/opencode{mine}, and the lock was not "
        f"tried with it. Remove it with what installed it (brew, npm, its own installer), or "
        f"as {person.name} on {host} run `{move}`, or put {OURS} before "
        f"{posixpath.dirname(person.other)} in PATH"
    )


def _not_reached(host: str, person: Person) -> list[str]:
    """zsh and bash read our file, which adds the folder."""
    kind = posixpath.basename(person.shell)
    lines = {
        "tcsh": "echo 'setenv PATH \"${PATH}:/usr/local/bin\"' >> ~/.tcshrc",
        "csh": "echo 'setenv PATH \"${PATH}:/usr/local/bin\"' >> ~/.cshrc",
        "fish": "fish_add_path --append /usr/local/bin",
    }
    if kind in ("zsh", "bash"):
        return []
    line = lines.get(kind)
    do = f"as {person.name} on {host} run `{line}`" if line else f"add {OURS} to PATH in its files"
    return [
        f"{host}: the shell of {person.name} ({person.shell}) does not look into {OURS}, where "
        f"`closet` and `opencode` are: {do}"
    ]
