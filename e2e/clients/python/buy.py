#!/usr/bin/env python3
"""A partner's client: stubs generated from the contracts, one seat bought over gRPC, the ticket's signature verified with the published keys.

It shares no code with the mesh. The ticket code is read from its published layout (version 1):
Base45 of version (1 byte), key_id (2), ticket_id (16), performance_id (16), ord (4), seq (2), reissue (1), valid_from (5), valid_until (5),
all big-endian, then an Ed25519 signature over every byte before it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
SIGNED_BYTES = 52
CALL_SECONDS = 15


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proto", required=True, type=Path, help="folder of the contracts")
    parser.add_argument("--booking", required=True, help="host:port of booking-svc")
    parser.add_argument("--payment", required=True, help="host:port of payment-svc")
    parser.add_argument("--provider", required=True, help="base URL of the payment simulator, where the buyer authorises")
    parser.add_argument("--token", required=True, help="the buyer's access token")
    parser.add_argument("--pool", required=True, help="pool of the performance")
    parser.add_argument("--ord", required=True, type=int, help="unit in the pool")
    return parser.parse_args()


def generate(proto: Path, out: Path) -> None:
    """Writes the stubs of every contract into `out`."""
    files = sorted(str(path) for path in proto.rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={proto}", f"--python_out={out}", f"--grpc_python_out={out}"]
    subprocess.run([*command, *files], check=True)
    sys.path.insert(0, str(out))


def base45(text: str) -> bytes:
    """RFC 9285."""
    values = [BASE45.index(character) for character in text]
    decoded = bytearray()
    for at in range(0, len(values), 3):
        group = values[at : at + 3]
        number = sum(value * 45**power for power, value in enumerate(group))
        decoded += number.to_bytes(len(group) - 1, "big")
    return bytes(decoded)


def verify(code: str, keys: dict[int, bytes]) -> uuid.UUID:
    """The ticket of a genuine code; raises otherwise."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    decoded = base45(code)
    if decoded[0] != 1:
        raise ValueError(f"version {decoded[0]} is not known")
    key_id = int.from_bytes(decoded[1:3], "big")
    signed, signature = decoded[:SIGNED_BYTES], decoded[SIGNED_BYTES:]
    Ed25519PublicKey.from_public_bytes(keys[key_id]).verify(signature, signed)
    return uuid.UUID(bytes=decoded[3:19])


def authorise(provider: str, payment_id: str, amount: int) -> str:
    """What the buyer does in the provider's widget; answers the payment key."""
    body = json.dumps({"amount": amount, "outcome": "approve"}).encode()
    url = f"{provider}/sim/orders/{payment_id}/authorize"
    request = urllib.request.Request(url, data=body, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
        return json.load(answer)["paymentKey"]


def issued(look) -> list:
    """Tickets come a moment after the booking is confirmed."""
    end = time.monotonic() + CALL_SECONDS
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise TimeoutError("no ticket was issued")


def buy(args: argparse.Namespace) -> dict:
    import grpc
    from usher.booking.v1 import booking_service_pb2 as bookings
    from usher.booking.v1 import booking_service_pb2_grpc as booking_stubs
    from usher.booking.v1 import inventory_service_pb2 as inventory
    from usher.booking.v1 import inventory_service_pb2_grpc as inventory_stubs
    from usher.booking.v1 import ticket_service_pb2 as tickets
    from usher.booking.v1 import ticket_service_pb2_grpc as ticket_stubs
    from usher.payment.v1 import payment_service_pb2 as payments
    from usher.payment.v1 import payment_service_pb2_grpc as payment_stubs

    told = {"metadata": [("authorization", f"Bearer {args.token}")], "timeout": CALL_SECONDS}
    booking_svc, payment_svc = grpc.insecure_channel(args.booking), grpc.insecure_channel(args.payment)
    booking_stub = booking_stubs.BookingServiceStub(booking_svc)
    ticket_stub = ticket_stubs.TicketServiceStub(booking_svc)

    line = inventory.LineSpec(pool_id=args.pool, ord=args.ord)
    request = inventory.HoldUnitsRequest(request_id=str(uuid.uuid4()), lines=[line])
    hold = inventory_stubs.InventoryServiceStub(booking_svc).HoldUnits(request, **told).hold

    on_site = bookings.OnSitePayment(provider="toss")
    request = bookings.CreateBookingRequest(
        request_id=str(uuid.uuid4()),
        hold_id=hold.hold_id,
        expected_total=hold.total,
        payment=bookings.PaymentChoice(on_site=on_site),
    )
    booking = booking_stub.CreateBooking(request, **told).booking
    payment_id = booking.payment.payment_id
    key = authorise(args.provider, payment_id, hold.total.minor_units)
    request = payments.ConfirmPaymentRequest(
        request_id=str(uuid.uuid4()), payment_id=payment_id, payment_key=key, amount=hold.total
    )
    payment_stubs.PaymentServiceStub(payment_svc).ConfirmPayment(request, **told)

    states = []
    for update in booking_stub.WatchBooking(bookings.WatchBookingRequest(booking_id=booking.booking_id), **told):
        states.append(bookings.BookingState.Name(update.booking.state))
    found = issued(lambda: ticket_stub.ListTickets(tickets.ListTicketsRequest(booking_id=booking.booking_id), **told).tickets)
    published = ticket_stub.ListTicketKeys(tickets.ListTicketKeysRequest(), **told).keys
    keys = {key.key_id: key.public_key for key in published}
    genuine = verify(found[0].code, keys)
    drawn = tickets.GetTicketQrRequest(ticket_id=found[0].ticket_id, format=tickets.QR_FORMAT_PNG)
    image = ticket_stub.GetTicketQr(drawn, **told).image
    return {
        "booking_id": booking.booking_id,
        "states": states,
        "ticket_id": found[0].ticket_id,
        "code": found[0].code,
        "verified": str(genuine),
        "image_type": image.content_type,
        "image_is_png": image.data.startswith(b"\x89PNG\r\n\x1a\n"),
    }


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory() as out:
        generate(args.proto, Path(out))
        print(json.dumps(buy(args)))


if __name__ == "__main__":
    main()
