"""Feed the decoder of the log queue with invalid frames, and valid records among them.

fuzz.py <frames> <seed>: prints one JSON object: good records sent, delivered, delivered once, and the growth of memory.
The package must be importable; run it in a process of its own, so that a crash or a hang is noticed.
"""

import json
import logging
import os
import random
import resource
import struct
import sys
from collections.abc import Callable
from typing import Any

from my_service.logging_setup.process import reports
from my_service.logging_setup.queue.encoding import encode, encode_marker
from my_service.logging_setup.queue.frames import AT_ONCE, FRAME, FrameDecoder, framed, split
from my_service.logging_setup.queue.listener import handle
from my_service.logging_setup.records.serialize import Flat, flatten

GOOD, BAD = "sound", "wrong"  # three changed bytes cannot turn one into the other


class Sink:
    """Replacement for the dispatcher: count the records that arrive."""

    def __init__(self, most: int) -> None:
        self.good = bytearray(most)  # times that each good record has arrived

    def dispatch(self, records: Any) -> None:
        for record in records:
            word, _, number = record.getMessage().partition(" ")
            if word == GOOD:
                self.good[int(number)] += 1

    def flush(self) -> None:
        pass

    def counts(self) -> dict[str, Any]:
        return {}


def record(text: str, **fields: object) -> Flat:
    made = logging.LogRecord("my_service.fuzz", logging.INFO, __file__, 1, text, (), None, "record")
    made.__dict__.update(fields)
    return flatten(made)


def main() -> None:
    frames, seed = int(sys.argv[1]), int(sys.argv[2])
    chance = random.Random(seed)
    error = ValueError("nested")
    samples = [
        encode(record(f"{BAD} 1")),
        encode(record(f"{BAD} 2", order=7, name_of={"a": [1, 2.5, None, True, "x"]})),
        encode(record(f"{BAD} 3", exc_info=(ValueError, error, None), stack_info="a stack")),
        encode(record(f"{BAD} 4 " + "é" * 900)),
        encode(record(f"{BAD} 5 " + "x" * 9_000)),
        encode_marker(token=os.urandom(16)),
        encode_marker(3),
        b"\x80",
        b"[" * 500,
        b"\x01" * 500,
    ]
    writes = [bytes(write) for sample in samples for write in split(sample)]

    def random_frame() -> bytes:
        return chance.randbytes(FRAME)

    def mutated() -> bytes:
        write = bytearray(chance.choice(writes))
        for _ in range(chance.randint(1, 3)):
            write[chance.randrange(min(len(write), chance.choice((4, 60, 600, AT_ONCE))))] = chance.randrange(256)
        return bytes(write)

    def cut() -> bytes:
        write = chance.choice(writes)
        return write[: chance.randrange(1, len(write) // FRAME + 1) * FRAME]

    def headed() -> bytes:
        head = bytes((chance.choice((1, 2, 8, 0x7F, 0x80, 0x81, 0x88, 0xFF, 0)),)) + b"\xff\xfe\xfd\xfc"
        return (head + chance.randbytes(40)).ljust(FRAME, b"\0")

    def lengths() -> bytes:
        sizes = (chance.choice((0, 1, 300, 2**16 - 1)), *(chance.choice((0, 9, 2**28, 2**32 - 1)) for _ in range(2)))
        return framed(
            struct.pack("<BdHIIB", 1, chance.choice((0.0, 1e308, float("nan"))), *sizes, chance.randrange(256))
        )

    def part() -> bytes:
        head = struct.pack(
            "<QQHH", 1, chance.randrange(2_000), chance.choice((0, 0, 1, 9)), chance.choice((1, 2, 17, 65_535))
        )
        return (b"\x81\xff\xfe\xfd\xfc" + head + chance.randbytes(300)).ljust(FRAME, b"\0")

    makers: tuple[Callable[[], bytes], ...] = (random_frame, mutated, mutated, mutated, cut, headed, lengths, part)
    sink = Sink(frames + 8)
    decoder = FrameDecoder()
    reports.connect(lambda _: True)

    def listen(batch: list[bytes]) -> None:
        handle(batch, sink, lambda _: None)  # type: ignore[arg-type]

    sent = fed = before = 0
    while fed < frames:
        stream = b""
        for _ in range(8):
            bad = chance.choice(makers)()
            fed += len(bad) // FRAME
            good = framed(encode(record(f"{GOOD} {sent}")))
            sent += 1
            stream += bad + good
        for at in range(0, len(stream), AT_ONCE):
            listen(decoder.records(stream[at : at + AT_ONCE]))
        if not before and fed > frames // 10:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    listen(decoder.records(framed(encode(record("end"))) * 8))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    delivered, once = sum(map(bool, sink.good)), sink.good.count(1)
    print(json.dumps({"frames": fed, "sent": sent, "delivered": delivered, "once": once, "grown_kb": grown}))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
