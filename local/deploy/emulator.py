"""Runs ministack (1.5.33) without the waits that hold up an invocation, with SES and DynamoDB asking
IAM what AWS's ask, and with the mails listed as the laptop runner lists them (local/mailbox).

Settings come from the environment, see start.sh.
"""
import contextvars
import datetime
import email.utils
import functools
import json
import queue
import re
import socketserver
import types

from ministack import app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.services import dynamodb, ses, ses_v2

# Its Runtime API sends header and body as two packets: with Nagle's algorithm the second one waits for the delayed
# acknowledgement of the first, 40 ms.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True

# After each invocation it waits 50 ms for a log line that most of ours never write.
drain = lambda_runtime.Worker._drain_stderr_bounded
lambda_runtime.Worker._drain_stderr_bounded = lambda worker, first_line_wait=0.001: drain(
    worker, first_line_wait=first_line_wait, idle_confirm=0.001, hard_cap=max(0.05, first_line_wait))

# Each function that has nothing to do looks ten times a second in two threads whether it shall end, and one that works twenty
# times whether it has died. After a crowd there are two hundred of them: the one thread that serves everything gets Python's
# lock too late then, and requests take half a minute. What they wait for wakes them at once; the looking can take longer.
IDLE, WORKING = 2, 0.5  # seconds


class Events(queue.Queue):
    """A queue of events for one function; the others, of its log, wait as they are told."""

    def get(self, block=True, timeout=None):
        return super().get(block, IDLE if self.maxsize == 1 and timeout else timeout)


lambda_runtime.queue = types.SimpleNamespace(Queue=Events, Empty=queue.Empty, Full=queue.Full)
lambda_runtime._PROVIDED_POLL = WORKING
serve_forever = socketserver.BaseServer.serve_forever
socketserver.BaseServer.serve_forever = lambda server, poll_interval=IDLE: serve_forever(server, max(poll_interval, IDLE))

# It reads the conditions of a query again for every item, and the policies of a role for every call.
dynamodb._condition_syntax_error = functools.lru_cache(4096)(dynamodb._condition_syntax_error)
parse_policy = iam_evaluator.parse_policy_document
parse_text = functools.lru_cache(1024)(parse_policy)
iam_evaluator.parse_policy_document = lambda document: (parse_text if isinstance(document, str) else parse_policy)(document)

SEND = "/v2/email/outbound-emails"


def sender(body):
    """The bare address that a SendEmail is from."""
    try:
        return email.utils.parseaddr(json.loads(body or b"{}").get("FromEmailAddress") or "")[1]
    except (ValueError, AttributeError):
        return ""


# SendEmail is granted on the identity that sends: the address where it is one, or else its domain. Ministack asks for "*",
# which no policy for an identity allows, and does not tell IAM the sender, which a policy's condition may name.
resource_of = iam_actions._ses_v2_resource_arn
sending = contextvars.ContextVar("sending", default="")


def resource(method, path, body, region, account):
    if path.rstrip("/") != SEND:
        return resource_of(method, path, body, region, account)
    address = sender(body)
    sending.set(address)
    known = {**ses._identities, **ses_v2._identities}
    return f"arn:aws:ses:{region}:{account}:identity/{address if address in known else address.rpartition('@')[2]}"


enforce = iam_evaluator.enforce


def enforce_sender(key, action, *rest, service_context=None, **others):
    if action == "ses:SendEmail":
        service_context = {**(service_context or {}), "ses:FromAddress": sending.get()}
    return enforce(key, action, *rest, service_context=service_context, **others)


iam_actions._ses_v2_resource_arn = resource

# A batch needs the permission of its single action.
from_target = iam_actions._action_from_target
BATCHES = {f"{action}Batch": action for action in ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")}
iam_actions._action_from_target = lambda headers: BATCHES.get(from_target(headers), from_target(headers))
iam_evaluator.enforce = enforce_sender

# Of DynamoDB's condition keys it knows the attributes of a projection. A batch has its projections inside, one a table;
# what a write names counts on AWS too: the key, the item, and the attributes of its expressions.
keys_of = iam_actions.dynamodb_service_context
WORD = re.compile(r"(?<![\w.#:])#?[A-Za-z_]\w*(?!\s*\(|\w)")
OPERATORS = {"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN"}


def written(request):
    """The top-level attributes that a write names."""
    placeholders = request.get("ExpressionAttributeNames") or {}
    named = {*(request.get("Item") or {}), *(request.get("Key") or {})}
    for member in ("UpdateExpression", "ConditionExpression"):
        words = WORD.findall(request.get(member) or "")
        named |= {placeholders.get(word, word) for word in words if word.upper() not in OPERATORS}
    return sorted(named)


def batch_keys(tables):
    found = [keys_of(json.dumps(table).encode()) for table in tables]
    attributes = [name for keys in found for name in keys.get("dynamodb:Attributes", [])]
    selects = {keys["dynamodb:Select"] for keys in found}
    select = "SPECIFIC_ATTRIBUTES" if selects == {"SPECIFIC_ATTRIBUTES"} else "ALL_ATTRIBUTES"
    return {"dynamodb:Select": select, **({"dynamodb:Attributes": attributes} if attributes else {})}


def condition_keys(body):
    try:
        request = json.loads(body or b"{}")
        tables = [table for table in (request.get("RequestItems") or {}).values() if "Keys" in table]
        if tables:
            return batch_keys(tables)
        keys = keys_of(body)
        attributes = keys.get("dynamodb:Attributes", []) + written(request)
    except (ValueError, AttributeError, TypeError):
        return keys_of(body)
    if attributes:
        keys["dynamodb:Attributes"] = attributes
    if "ReturnValues" in request:
        keys["dynamodb:ReturnValues"] = request["ReturnValues"]
    return keys


iam_actions.dynamodb_service_context = condition_keys


def mails(to):
    """What was sent to an address, or to any where it is empty, oldest first."""
    records = [r for kept in ses._sent_emails.to_dict().values() for r in kept]
    for record in sorted(records, key=lambda r: r["Timestamp"]):
        address = email.utils.parseaddr(record["To"][0] if record["To"] else "")[1]
        if to and address.lower() != to.lower():
            continue
        at = datetime.datetime.fromtimestamp(record["Timestamp"], datetime.timezone.utc)
        yield {"id": record["MessageId"], "to": address, "from": record["Source"], "subject": record["Subject"],
               "text": record["BodyText"], "html": record["BodyHtml"] or "", "sent_at": at.isoformat()}


messages = app._handle_ses_messages_request


async def serve(method, path, headers, query):
    if (method, path) == ("GET", "/_local/mail.json"):
        found = list(mails(query.get("to", [""])[0]))
        return 200, {"Content-Type": "application/json"}, json.dumps({"mails": found}).encode()
    if (method, path) == ("DELETE", "/_local/mail"):
        ses._sent_emails.clear()
        return 204, {}, b""
    return await messages(method, path, headers, query)


app._handle_ses_messages_request = serve

if __name__ == "__main__":
    app.main()
