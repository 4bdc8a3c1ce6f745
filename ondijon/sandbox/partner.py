"""Follows a post: python partner.py ENDPOINT KEYFILE [TOPIC ...]. It prints what changes, until Ctrl-C."""

import sys
from pathlib import Path

from ondijon.partner import PRESENT, Partner

endpoint, key, *topics = sys.argv[1:]
with Partner(endpoint, Path(key), topics or PRESENT) as partner:
    while True:
        for change in partner.turn(timeout_s=1.0):
            print(
                change.topic,
                change.name,
                change.key,
                "gone" if change.row is None else change.row,
                flush=True,
            )
        if not partner.whole:
            print("waiting:", partner.follower.why or "no answer yet", file=sys.stderr, flush=True)
