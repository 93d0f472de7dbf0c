"""Numbers that launchd answers with, and the words launchctl prints for them.

Source: facts "Error numbers" (the XPC range is base 107; offsets measured by several people),
errno texts as Darwin's strerror(3) spells them. No imports: launchctl loads this on every call.
"""

from __future__ import annotations

EPERM = 1
ENOENT = 2
ESRCH = 3
EIO = 5
EINPROGRESS = 36
EALREADY = 37
EX_USAGE = 64
EX_CONFIG = 78
INVALID_PLIST = 109
MISSING_LABEL = 110
MISSING_PROGRAM = 111
NO_DOMAIN = 112
NO_SERVICE = 113
SERVICE_DISABLED = 119
BAD_OWNERSHIP = 122
DOMAIN_TEARING_DOWN = 124
DOMAIN_UNSUPPORTED = 125
WRONG_SESSION = 134
QUARANTINED = 155

MESSAGES: dict[int, str] = {
    1: "Operation not permitted",
    2: "No such file or directory",
    3: "No such process",
    5: "Input/output error",
    13: "Permission denied",
    17: "File exists",
    22: "Invalid argument",
    36: "Operation now in progress",
    37: "Operation already in progress",
    107: "Malformed bundle",
    108: "Invalid path",
    109: "Invalid property list",
    110: "Invalid or missing service identifier",
    111: "Invalid or missing Program/ProgramArguments",
    112: "Could not find specified domain",
    113: "Could not find specified service",
    114: "The specified username does not exist",
    115: "The specified group does not exist",
    116: "Routine not yet implemented",
    118: "Bad response from server",
    119: "Service is disabled",
    120: "Bad subsystem destination for request",
    121: "Path not searched for services",
    122: "Path had bad ownership/permissions",
    123: "Path is whitelisted for domain",
    124: "Domain is tearing down",
    125: "Domain does not support specified action",
    126: "Request type is no longer supported",
    127: "The specified service did not ship with the operating system",
    128: "The specified path is not a bundle",
    129: "The service was superseded by a later version",
    130: "The system encountered a condition where behavior was undefined",
    131: "Out of order requests",
    132: "Request for stale data",
    133: "Multiple errors were returned; see stderr",
    134: "Service cannot load in requested session",
    135: "Process is not managed",
    136: "Action not allowed on singleton service",
    137: "Service does not support the specified action",
    138: "Service cannot be loaded on this hardware",
    139: "Service cannot presently execute",
    140: "Service name is reserved or invalid",
    141: "Reentrancy avoided",
    142: "Operation only supported on development build",
    143: "Requested entry was cached",
    144: "Requestor lacks required entitlement",
    145: "Endpoint is hidden",
    146: "Domain is in on-demand-only mode",
    147: "The specified service did not ship in the requestor",
    148: "The specified service path was not in the service cache",
    149: "Could not find a bundle of the given identifier through LaunchServices",
    150: "Operation not permitted while System Integrity Protection is engaged",
    151: "A complete hack",
    152: "Service cannot load in current boot environment",
    153: "Completely unexpected error",
    154: "Requestor is not a platform binary",
    155: "Refusing to execute/trust quarantined program/file",
    156: "Domain creation with that UID is not allowed anymore",
    157: "System service is not in system service whitelist",
    158: "Service cannot be loaded on current os variant",
    159: "Sandbox restriction",
    161: "Service cannot be launched because of BTM policy",
}

# sysexits(3): launchctl print adds the name to these exit codes.
SYSEXITS: dict[int, str] = {
    64: "EX_USAGE",
    65: "EX_DATAERR",
    66: "EX_NOINPUT",
    67: "EX_NOUSER",
    68: "EX_NOHOST",
    69: "EX_UNAVAILABLE",
    70: "EX_SOFTWARE",
    71: "EX_OSERR",
    72: "EX_OSFILE",
    73: "EX_CANTCREAT",
    74: "EX_IOERR",
    75: "EX_TEMPFAIL",
    76: "EX_PROTOCOL",
    77: "EX_NOPERM",
    78: "EX_CONFIG",
}


class LaunchdError(Exception):
    """A request that launchd refuses, by number."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{code}: {message(code)}")
        self.code = code


def message(code: int) -> str:
    """Return the words for a number; Darwin says `Unknown error: N` for one it does not know."""
    return MESSAGES.get(code, f"Unknown error: {code}")
