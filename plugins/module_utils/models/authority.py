# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority in addition to the public ones: that of a company which inspects TLS.

macOS stores it in the Keychain. Python does not read that, but the list of certifi or
SSL_CERT_FILE.
"""

from __future__ import annotations

import ssl
from pathlib import Path


def trust(context: ssl.SSLContext, certificates: str) -> None:
    """Trust certificates (PEM) in addition to those of the context."""
    context.load_verify_locations(cadata=certificates)
    # Python 3.13 requires what RFC 5280 says of an authority; those of companies often lack it
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)


def problem(certificates: str) -> str | None:
    """Why this text is not a usable authority, or None."""
    if "BEGIN CERTIFICATE" not in certificates:
        return "it has no certificate in PEM format (-----BEGIN CERTIFICATE-----)"
    if "PRIVATE KEY" in certificates:
        return "it contains a private key, which must not be copied to other hosts"
    try:
        ssl.create_default_context().load_verify_locations(cadata=certificates)
    except (ssl.SSLError, ValueError) as error:
        return f"its certificate cannot be read ({getattr(error, 'reason', None) or error})"
    return None


def objection(host: str, path: str) -> str | None:
    """The error of the file of `models_ca_bundle`, on the controller, or None."""
    place = Path(path).expanduser()
    if not place.is_absolute():
        wrong = "it is not an absolute path; write '{{ inventory_dir }}/ca.pem', for example"
    else:
        try:
            found = problem(place.read_text(encoding="ascii", errors="replace"))
        except OSError as error:
            found = f"it cannot be read: {error.strerror}"
        wrong = found or ""
    if not wrong:
        return None
    return (
        f"models_ca_bundle of {host} is {path}, on this controller, and {wrong}. It is the PEM "
        "file of a certificate authority; on a Mac that trusts it: security find-certificate -a -p "
        "-c NAME /Library/Keychains/System.keychain > ca.pem"
    )


UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})
DATES = frozenset({9, 10})
OWN_AUTHORITY = (
    "If a company inspects TLS, its authority is in the Keychain, which Python does not read: "
    "set models_ca_bundle to its PEM file"
)


def describe_certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    """Why a certificate is not trusted, and what to do. The codes are X509_V_ERR_… of OpenSSL."""
    reason = str(error.verify_message).rstrip(".")
    if error.verify_code in DATES:
        advice = "Check the clock of this host: date"
    elif error.verify_code in UNKNOWN_ISSUER:
        advice = f"This Python does not trust its issuer. {OWN_AUTHORITY}"
    else:
        advice = "Another server may have answered; open the address in a browser"
    return f"the certificate of {host} is not trusted ({reason}). {advice}"
