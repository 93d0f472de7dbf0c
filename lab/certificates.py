"""The lab's own certificate authority, which its Macs trust, and what it signs."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = datetime.timedelta(days=30)
# a Mac refuses a certificate from the future, and clocks differ
EARLIER = datetime.timedelta(hours=1)
MAY_SIGN = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
MACHINES_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def make(folder: Path, names: Sequence[str], address: str, authority: str = "ca") -> None:
    """Write `<authority>.pem` into `folder`, and a `.crt` and `.key` of a server signed by it."""
    signer, root = _authority(f"Closet Lab {authority}")
    server = ec.generate_private_key(ec.SECP256R1())
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives.append(x509.IPAddress(ipaddress.ip_address(address)))
    certificate = (
        _builder(names[0], root.subject, server.public_key())
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_names(signer), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key = server.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{authority}.pem").write_bytes(root.public_bytes(pem))
    (folder / f"{authority}.crt").write_bytes(certificate.public_bytes(pem))
    path = folder / f"{authority}.key"
    path.touch(mode=0o600)
    path.write_bytes(key)


def trusted(authority: Path, bundle: Path = MACHINES_BUNDLE) -> str:
    """What a Mac trusts: what this machine does, and the lab's own authority."""
    known = bundle.read_text(encoding="ascii") if bundle.is_file() else ""
    return known + authority.read_text(encoding="ascii")


def _authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _builder(name, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(MAY_SIGN, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _names(signer: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    """Which of the keys with the signer's name it was; verifiers insist on it (RFC 5280)."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + VALID)
    )
