"""Questions that are ready to be asked, as SQL with parameters."""

from __future__ import annotations

import msgspec

from adapters.history.asked import Ready


class Question(msgspec.Struct, frozen=True):
    """Its SQL, the parameters it must have, and those it may have."""

    sql: str
    needs: tuple[str, ...]
    may: tuple[str, ...] = ()


_METRIC = "($metric = '' OR metric = $metric)"

QUESTIONS: dict[Ready, Question] = {
    "asset": Question(
        f"""SELECT local, metric, last, low, high, mean, total, count FROM minutes
            WHERE asset = $asset AND {_METRIC} ORDER BY metric, minute""",
        ("asset",),
        ("metric",),
    ),
    "street": Question(
        """SELECT street, date_trunc('hour', local) AS hour, min(low) AS low, max(high) AS high,
                  round(avg(mean), 3) AS mean, round(sum(total), 3) AS total, count(DISTINCT asset) AS assets
           FROM minutes WHERE metric = $metric AND ($street = '' OR street = $street)
           GROUP BY ALL ORDER BY street, hour""",
        ("metric",),
        ("street",),
    ),
    # The hour's first minute tells of all: what stands at a minute is the newest row of its hour so far.
    "snapshot": Question(
        """SELECT asset, kind, commune, street, arg_max(last, minute) AS last, max(local) AS since FROM minutes
           WHERE metric = $metric AND local BETWEEN date_trunc('hour', $minute::TIMESTAMP) AND $minute::TIMESTAMP
           GROUP BY ALL ORDER BY asset""",
        ("metric", "minute"),
    ),
}
