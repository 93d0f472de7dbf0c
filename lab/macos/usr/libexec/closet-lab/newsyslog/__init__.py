"""newsyslog(8) as macOS has it: crontabs' newsyslog.c, rebuilt from what it does and prints.

Kept: the parser with all its errors, /etc/newsyslog.d, rotation by link and rename (a process
that holds the old file keeps writing to it), root:admin as the default owner, signals, gzip
and bzip2. Left out: chflags nodump, which Linux has no equivalent for.
"""
