"""Renders a mail from a template.

Shows how a handler reads its input, which failures are fatal because another attempt
would meet them again, how it remembers what it has sent, and how it logs. With a
`messageId` no second mail of that id goes to the address.
"""

from dataclasses import dataclass, field
from typing import Any

from flowmonkey import Context, Fatal, camel_case, handler
from mail import is_address, render


@camel_case
@dataclass
class Mail:
    to: str
    subject: str
    body: str
    vars: dict[str, str] = field(default_factory=dict)
    message_id: str | None = None


@handler
def run(ctx: Context, mail: Mail) -> dict[str, Any]:
    if not is_address(mail.to):
        raise Fatal("BAD_ADDRESS", f"{mail.to!r} is not a mail address")
    key = None
    if mail.message_id is not None:
        key = f"email-{mail.to}-{mail.message_id}"
    if key and ctx.idempotency.lookup(key):
        return {"alreadySent": True}
    subject = render(mail.subject, mail.vars)
    body = render(mail.body, mail.vars)

    # Nothing leaves the sandbox: that would take the grant `http`. The rendered mail is
    # the result. A real sender would hand the idempotency key to the mail service,
    # which then drops the second request of a job that runs twice.
    ctx.log.info("mail rendered", to=mail.to, bodyBytes=len(body.encode()))
    if key:
        ctx.idempotency.record(key, True)
    return {
        "sent": True,
        "to": mail.to,
        "subject": subject,
        "body": body,
        "idempotencyKey": ctx.idempotency_key,
    }
