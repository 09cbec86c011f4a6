"""TLS as providers are reached with it."""

import ssl
from functools import lru_cache


@lru_cache(maxsize=1)
def default_tls() -> ssl.SSLContext:
    """With the certificate authorities of this machine."""
    # Loading them takes some 20 ms and as many megabytes: one context serves all.
    return _modern(ssl.create_default_context())


def tls_with(ca_file: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    """With authorities and a client's certificate of a provider's own. Raises OSError, ssl.SSLError."""
    if not ca_file and not certificate:
        return default_tls()
    context = _modern(ssl.create_default_context(cafile=ca_file))
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def tls_also_with(ca_file: str | None) -> ssl.SSLContext:
    """With the authorities of this machine, and others beside them. Raises OSError, ssl.SSLError."""
    if not ca_file:
        return default_tls()
    context = _modern(ssl.create_default_context())
    context.load_verify_locations(ca_file)
    return context


def _modern(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
