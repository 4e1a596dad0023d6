"""What `make bench` measures with: a load that is whole, and a Stripe that counts."""

import asyncio
import uuid

import pytest
import stripe

from bench.load import load
from bench.stripe_stub import AMOUNT, CURRENCY, session, session_id, stripe_stub
from shop.sessions import SessionFacts


@pytest.fixture(scope="module")
def stub():
    with stripe_stub() as running:
        yield running


def requests(path, number):
    return [f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()] * number


def port(stub):
    return int(stub.origin.rpartition(":")[2])


@pytest.mark.parametrize("senders", [1, 8, 32])
async def test_every_request_is_sent_and_answered_once(stub, senders):
    before = stub.counts()["GET /v1/events"]

    measured = await load(port(stub), requests("/v1/events", 50), senders)

    assert stub.counts()["GET /v1/events"] - before == len(measured.latencies) == 50
    assert max(measured.latencies) <= measured.seconds


async def test_a_load_that_was_refused_is_no_measurement(stub):
    with pytest.raises(RuntimeError, match="404"):
        await load(port(stub), requests("/v1/nothing", 50), 8)


def test_the_official_client_gets_what_an_event_would_say_and_each_request_is_counted(stub):
    paid, unknown = uuid.uuid4(), "cs_test_unknown"
    before = stub.counts()["GET /v1/checkout/sessions/:id"]

    found = asyncio.run(retrieve(stub, session_id("paid", paid)))

    facts = SessionFacts.read(found.to_dict())
    assert facts == SessionFacts.read(session("paid", paid))
    assert (facts.public_id, facts.payment_status) == (paid, "paid")
    assert (facts.amount_total, facts.currency) == (AMOUNT, CURRENCY)
    with pytest.raises(stripe.InvalidRequestError, match=unknown):
        asyncio.run(retrieve(stub, unknown))
    assert stub.counts()["GET /v1/checkout/sessions/:id"] - before == 1


async def retrieve(stub, name):
    client = stripe.StripeClient(
        "sk_test_bench", base_addresses={"api": stub.origin}, http_client=stripe.HTTPXClient()
    )
    return await client.v1.checkout.sessions.retrieve_async(name)
