"""What the browser draws: streets and assets as packed arrays, in metres east and north of the centre."""

from __future__ import annotations

import struct
from typing import Any

from core.city import City


def streets(city: City) -> bytes:
    """u32 edges, u32 points; ``start`` u32[edges+1], ``class`` u32[edges], ``x`` and ``y`` f32[points]."""
    graph = city.streets
    x, y = city.project(graph.point_lon, graph.point_lat)
    return b"".join(
        [
            struct.pack("<II", graph.edges, len(x)),
            graph.point_start.astype("<u4").tobytes(),
            graph.edge_class.astype("<u4").tobytes(),
            x.astype("<f4").tobytes(),
            y.astype("<f4").tobytes(),
        ]
    )


def assets(city: City, kind: str) -> bytes:
    """u32 n, then ``x`` f32[n] and ``y`` f32[n] of all assets of ``kind``, in the order of the register."""
    index = city.assets.of_kind(kind)
    x, y = city.project(city.assets.lon[index], city.assets.lat[index])
    return b"".join([struct.pack("<I", len(index)), x.astype("<f4").tobytes(), y.astype("<f4").tobytes()])


def about(city: City) -> dict[str, Any]:
    """The city in words: its name, its origin, what is synthetic, how much there is of what."""
    description = city.description
    return {
        "name": city.name,
        "timezone": description.timezone,
        "licence": description.licence,
        "origin": description.origin,
        "synthetic": description.synthetic,
        "communes": city.communes.names,
        "counts": {kind: len(city.assets.of_kind(kind)) for kind in city.assets.kinds},
        "streets": city.streets.edges,
    }
