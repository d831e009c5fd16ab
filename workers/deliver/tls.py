"""Certificates of a sink: whom it trusts, and who it is."""

from __future__ import annotations

import ssl

from sightline.errors import SettingsError
from storage.sinks.options import SinkOptions


def tls_context(options: SinkOptions) -> ssl.SSLContext:
    """Trusts `ca_file`, else whom the machine trusts, and shows `cert_file`, if there is one.

    Raises SettingsError, naming the file, where one is missing or is no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except OSError as error:  # an SSLError too
        raise SettingsError(f"ca_file: {options.ca_file}: {_why(error)}; give certificates in PEM") from error
    if options.cert_file:
        try:
            context.load_cert_chain(options.cert_file, options.key_file)
        except OSError as error:
            files = f"{options.cert_file}{f' and {options.key_file}' if options.key_file else ''}"
            raise SettingsError(f"cert_file, key_file: {files}: {_why(error)}; give both in PEM") from error
    return context


def _why(error: OSError) -> str:
    return error.strerror or str(error)
