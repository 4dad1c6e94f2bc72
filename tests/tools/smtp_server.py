"""A mail server for tests: aiosmtpd on a loopback port, which keeps what it takes as JSON, read by Python's own e-mail parser.

Recipients refused@… are refused for good, busy@… for now, the sender forbidden@… for good.
"""

import argparse
import asyncio
import email
import email.policy
import json
import os
import pathlib
import ssl

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, folder):
        self.folder = folder
        self.taken = 0

    async def handle_MAIL(self, server, session, envelope, address, options):
        if address.startswith("forbidden@"):
            return "553 5.7.1 not your address"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.1.1 no such user"
        if address.startswith("busy@"):
            return "450 4.2.1 mailbox busy"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        part = lambda kind: message.get_body((kind,)).get_content()
        record = {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "headers": {name.lower(): value for name, value in message.items()},
            "text": part("plain"),
            "html": part("html"),
            "kinds": [message.get_content_type()]
            + [f"{part.get_content_type()}; {part.get_content_charset()}" for part in message.iter_parts()],
            "ascii": envelope.content.isascii(),
            "encrypted": server.transport.get_extra_info("ssl_object") is not None,
            "logged_in": bool(session.authenticated),
        }
        self.taken += 1
        file = self.folder / f"{self.taken:06}.json"
        file.with_suffix(".part").write_text(json.dumps(record), encoding="utf-8")
        file.with_suffix(".part").rename(file)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    given = (data.login.decode(), data.password.decode())
    wanted = (os.environ["SMTP_USER"], os.environ["SMTP_PASSWORD"])
    return AuthResult(success=given == wanted, handled=False)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--tls", choices=["none", "starttls", "implicit"], required=True)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    arguments = parser.parse_args()
    context = None
    if arguments.tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.certificate, arguments.key)
    starttls = arguments.tls == "starttls"
    log_in = "SMTP_USER" in os.environ
    handler = Handler(arguments.folder)

    def serve():
        return SMTP(
            handler,
            hostname="localhost",
            enable_SMTPUTF8=True,
            tls_context=context if starttls else None,
            auth_required=log_in,
            auth_require_tls=starttls,
            auth_exclude_mechanism=() if log_in else ("PLAIN", "LOGIN"),
            authenticator=authenticate if log_in else None,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(
        serve, "127.0.0.1", arguments.port, ssl=None if starttls else context
    )
    await server.serve_forever()


asyncio.run(main())
