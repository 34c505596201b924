"""What a client of the API knows and its schemas do not say: formats of our own, cursors, signatures.

Only requests that are meant to be valid are completed; what schemathesis spoils on purpose stays as it is.
"""

import base64
import csv
import hashlib
import hmac
import io
import os
import re
import time
import uuid

import schemathesis
from hypothesis import strategies as st
from requests.auth import AuthBase
from schemathesis.core.parameters import ParameterLocation

OWN_KEY_ID = os.environ["MINICRM_KEY_ID"]
WEBHOOK_SECRET = os.environ["RECEIPT_WEBHOOK_SECRET"].split(",")[0]
UNKNOWN_ID = "0123456789abcdef01234567"
ID = re.compile("[0-9a-fA-F]{24}|[0-9a-fA-F-]{36}")

# Formats that JSON Schema does not know.
schemathesis.openapi.format(
    "time-zone", st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"])
)
schemathesis.openapi.format(
    "message-template",
    st.sampled_from(
        [
            "Hi",
            "Hi {{ name }}",
            "Hi {{ name | first_name | upcase }} of {{ metadata.city | default: 'here' }}",
            "{% if visits %}Again, {{ name }}?{% else %}Welcome{% endif %}",
        ]
    ),
)
schemathesis.openapi.format("cursor", st.from_regex(r"\A[A-Za-z0-9_-]{1,40}\Z"))



@st.composite
def lead_files(draw):
    """CSV of leads, written in one of the ways that an import reads. What is wrong with a row is told by its job."""
    delimiter = draw(st.sampled_from(",;\t"))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig"]))
    columns = draw(st.permutations(["name", "emails", "phones", "tags", "visits", "metadata.city"]))
    cell = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
    rows = draw(st.lists(st.lists(cell, min_size=len(columns), max_size=len(columns)), max_size=8))
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerows([columns, *rows])
    return file.getvalue().encode(encoding)


schemathesis.openapi.media_type("text/csv", lead_files())

# The queries whose answer had a next page, by path, with the cursor to it.
next_pages = {}


def is_meant_to_be_valid(case, location):
    return case.meta is None or not case.meta.is_negative_at(location)


class Signature(AuthBase):
    """Signs the request that is sent, as a vendor does (Standard Webhooks)."""

    def __call__(self, request):
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        message_id, seconds = f"msg_{uuid.uuid4()}", str(int(time.time()))
        key = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{message_id}.{seconds}.".encode() + body, hashlib.sha256)
        request.headers["webhook-id"] = message_id
        request.headers["webhook-timestamp"] = seconds
        request.headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
        return request


def name_documents_by_ids(case):
    """What a value found in an answer is tried for as an id: `import` for one makes the path another operation's."""
    for name, value in (case.path_parameters or {}).items():
        if name == "id" and not ID.fullmatch(str(value)):
            case.path_parameters[name] = UNKNOWN_ID


def complete_paging(case):
    """A cursor is good for the query that it came with: take both, or neither."""
    if not case.query or "cursor" not in case.query:
        return
    known = next_pages.get(case.formatted_path)
    if known:
        case.query = dict(known)
    else:
        del case.query["cursor"]


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    if is_meant_to_be_valid(case, ParameterLocation.PATH):
        name_documents_by_ids(case)
    if is_meant_to_be_valid(case, ParameterLocation.QUERY):
        complete_paging(case)
        # Both name columns of the file, which no schema knows.
        if operation == "importLeads" and case.query:
            case.query.pop("map", None)
            case.query.pop("ignore", None)
    if operation == "receiveReceipts" and is_meant_to_be_valid(case, ParameterLocation.HEADER):
        kwargs["auth"] = Signature()
    # The key that all requests are made with must last.
    if operation == "revokeAPIKey" and (case.path_parameters or {}).get("id", "").lower() == OWN_KEY_ID:
        case.path_parameters["id"] = UNKNOWN_ID


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code != 200 or not response.headers.get("content-type", [""])[0].startswith("application/json"):
        return
    answer = response.json()
    cursor = answer.get("pagination", {}).get("next_cursor") if isinstance(answer, dict) else None
    if cursor:
        query = {name: value for name, value in (case.query or {}).items() if name not in ("page", "cursor")}
        next_pages[case.formatted_path] = {**query, "cursor": cursor}


def has_large_integer(value):
    """JSON numbers without a fraction are integers of 64 bits here (docs/api.md), which `number` cannot say."""
    if isinstance(value, dict):
        return any(has_large_integer(member) for member in value.values())
    if isinstance(value, list):
        return any(has_large_integer(element) for element in value)
    return isinstance(value, int) and not -(2**63) <= value < 2**63


@schemathesis.hook
def filter_body(context, body):
    return not has_large_integer(body)
