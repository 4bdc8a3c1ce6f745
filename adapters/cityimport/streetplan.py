"""The streets of an invented city, as a plan: corners, streets between them, and what each is.

Blocks come from jittered grids that turn from quarter to quarter; avenues join the communes to the centre,
two rings go around it, and both push the blocks aside. Corners are joined as neighbours that see one
another (a Gabriel graph), which gives the crooked meshes of a grown town; then some streets are closed, so
that dead ends appear.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely

from adapters.cityimport.town import BLOCK_M, Town, built_up
from core.city import STREET_CLASSES

#: Metres between the junctions of the old centre, and along an avenue; streets so long are collectors.
_OLD_BLOCK_M = 115.0
_AVENUE_STEP_M = 175.0
_COLLECTOR_FROM_M = 1_150.0

_STRUCTURING, _DISTRIBUTOR, _COLLECTOR, _LOCAL, _PATH = range(len(STREET_CLASSES))


@dataclass(frozen=True)
class Plan:
    """Corners ``xy`` f64[n, 2] on the plane and ``edges`` i64[m, 2] between them.

    ``avenue`` i64[m] numbers the avenues (-1: none); ``lit`` bool[m] says where lamps stand.
    """

    xy: np.ndarray
    edges: np.ndarray
    avenue: np.ndarray
    lit: np.ndarray


def _avenues(rng: np.random.Generator, town: Town) -> list[np.ndarray]:
    """Lines f64[k, 2]: a road from each commune to the next one towards the centre, and two rings."""
    away = np.hypot(*town.centre.T)
    lines = []
    for c in range(1, len(town.names)):
        nearer = np.flatnonzero(away < away[c] - 1.0)
        detour = np.hypot(*(town.centre[nearer] - town.centre[c]).T) + 0.75 * away[nearer]
        start, goal = town.centre[c], town.centre[nearer[np.argmin(detour)]]
        side = np.array([-(goal - start)[1], (goal - start)[0]]) * rng.uniform(-0.09, 0.09)
        t = np.linspace(0, 1, 24)[:, None]
        lines.append((1 - t) ** 2 * start + 2 * t * (1 - t) * ((start + goal) / 2 + side) + t**2 * goal)
    for share, from_blocks in ((0.80, 4), (0.24, 12)):
        if town.radius[0] < from_blocks * BLOCK_M:
            continue  # too small a town for a ring
        angle = np.linspace(0, 2 * np.pi, 73)
        phase = rng.uniform(0, 2 * np.pi, 2)
        wave = 1 + 0.11 * np.sin(2 * angle + phase[0]) + 0.07 * np.sin(3 * angle + phase[1])
        radius = town.radius[0] * share * wave
        lines.append(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]))
    return lines


def plan_of(rng: np.random.Generator, town: Town) -> Plan:
    """The corners and streets of a town: one connected plan."""
    avenues = _avenues(rng, town)
    nodes, edges, avenue = _avenue_nodes(avenues)
    blocks = _blocks(rng, town)
    clear = shapely.distance(shapely.points(blocks), shapely.MultiLineString(avenues)) > 0.42 * BLOCK_M
    xy = np.vstack([nodes, blocks[clear]])
    mesh = _mesh(xy, edges)
    mesh = mesh[_thin(rng, mesh, edges, len(xy))]
    edges, avenue = np.vstack([edges, mesh]), np.append(avenue, np.full(len(mesh), -1))
    kept = _main_part(len(xy), edges)
    on = kept[edges[:, 0]]
    edges = (np.cumsum(kept) - 1)[edges[on]]
    xy = xy[kept]
    return Plan(xy, edges, avenue[on], built_up(town, xy[edges].mean(axis=1)) < 1.15)


def _avenue_nodes(avenues: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes along the avenues, one wherever two meet; their edges and the avenue of each edge."""
    lines = [shapely.LineString(each) for each in avenues]
    noded = shapely.get_parts(shapely.line_merge(shapely.union_all(lines)))
    noded = noded[shapely.length(noded) > 1.0]
    middle = shapely.line_interpolate_point(noded, 0.5, normalized=True)
    avenue_of = shapely.distance(middle[:, None], np.array(lines)).argmin(axis=1)
    number: dict[tuple[float, float], int] = {}
    edges, avenue = [], []
    for line, of in zip(noded, avenue_of, strict=True):
        steps = max(1, round(line.length / _AVENUE_STEP_M))
        along = shapely.line_interpolate_point(line, np.linspace(0, 1, steps + 1), normalized=True)
        keys = [tuple(p) for p in np.round(shapely.get_coordinates(along), 3).tolist()]
        chain = [number.setdefault(key, len(number)) for key in keys]
        edges += [pair for pair in pairwise(chain) if pair[0] != pair[1]]
        avenue += [of] * (len(edges) - len(avenue))
    return np.array(list(number)), np.array(edges, np.int64), np.array(avenue, np.int64)


def _blocks(rng: np.random.Generator, town: Town) -> np.ndarray:
    """Street corners f64[n, 2]: grids that turn from quarter to quarter, inside the blobs."""
    quarters = [centre for centre, radius in zip(town.centre, town.radius, strict=True)]
    large = town.radius[0] * np.sqrt(rng.uniform(0.1, 1.0, 9))
    turn = np.linspace(0, 2 * np.pi, 9, endpoint=False) + rng.uniform(-0.2, 0.2, 9)
    if town.radius[0] > 4 * BLOCK_M:
        quarters += list(np.column_stack([large * np.cos(turn), large * np.sin(turn)]))
    middle = np.array(quarters)
    points = []
    for q, centre in enumerate(middle):
        old = q == 0 and town.radius[0] > 8 * BLOCK_M
        step, jitter = (_OLD_BLOCK_M, 0.30) if old else (BLOCK_M, 0.19)
        reach = np.hypot(*(middle - centre).T).max() * 0.6 + town.radius.max()
        n = int(reach / step)
        grid = np.stack(np.meshgrid(np.arange(-n, n + 1), np.arange(-n, n + 1)), -1).reshape(-1, 2) * step
        grid = grid + rng.uniform(-jitter, jitter, grid.shape) * step
        angle = rng.uniform(0, np.pi / 2)
        turned = grid @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + centre
        mine = np.hypot(*(turned[:, None] - middle).transpose(2, 0, 1)).argmin(axis=1) == q
        points.append(turned[mine][built_up(town, turned[mine]) < 1.0])
    xy = np.vstack(points)
    a, b = shapely.STRtree(shapely.points(xy)).query(
        shapely.points(xy), predicate="dwithin", distance=0.5 * _OLD_BLOCK_M
    )
    return np.delete(xy, np.unique(np.maximum(a, b)[a != b]), axis=0)


def _mesh(xy: np.ndarray, avenues: np.ndarray) -> np.ndarray:
    """Gabriel edges i64[m, 2]: pairs whose circle holds no other node, not too long, off the avenues."""
    corners = _triangles(xy)
    pairs = np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    opposite = np.concatenate([corners[:, 2], corners[:, 0], corners[:, 1]])
    a, b, c = xy[pairs[:, 0]], xy[pairs[:, 1]], xy[opposite]
    sees = ((a - c) * (b - c)).sum(axis=1) > 0
    pairs.sort(axis=1)
    pairs, group = np.unique(pairs, axis=0, return_inverse=True)
    blocked = np.bincount(group.ravel(), ~sees) > 0
    short = np.hypot(*(xy[pairs[:, 0]] - xy[pairs[:, 1]]).T) < 1.9 * BLOCK_M
    pairs = pairs[~blocked & short]
    lines = shapely.linestrings(xy[pairs])
    crossing, _ = shapely.STRtree(shapely.linestrings(xy[avenues])).query(lines, predicate="crosses")
    same = {tuple(sorted(pair)) for pair in avenues.tolist()}
    free = np.array([tuple(pair) not in same for pair in pairs.tolist()], bool)
    free[crossing] = False
    return pairs[free]


def _triangles(xy: np.ndarray) -> np.ndarray:
    index = {tuple(point): i for i, point in enumerate(xy.tolist())}
    parts = shapely.get_parts(shapely.delaunay_triangles(shapely.multipoints(xy)))
    rings = shapely.get_coordinates(parts).reshape(-1, 4, 2)[:, :3]
    return np.array([[index[tuple(p)] for p in ring] for ring in rings.tolist()], np.int64)


def _thin(rng: np.random.Generator, mesh: np.ndarray, avenues: np.ndarray, nodes: int) -> np.ndarray:
    """bool[m]: the edges that stay. One in four is closed, but nothing is cut off and few ends are dead."""
    degree = np.bincount(np.concatenate([mesh.ravel(), avenues.ravel()]), minlength=nodes)
    leader = list(range(nodes))
    for a, b in avenues.tolist():
        leader[_root(leader, a)] = _root(leader, b)
    stays = np.ones(len(mesh), bool)
    dead_end = rng.random(len(mesh)) < 0.2
    closes = rng.random(len(mesh)) < 0.42
    for i in rng.permutation(len(mesh)).tolist():
        a, b = mesh[i].tolist()
        if _root(leader, a) != _root(leader, b):
            leader[_root(leader, a)] = _root(leader, b)
        elif closes[i] and (dead_end[i] or min(degree[a], degree[b]) > 2):
            stays[i] = False
            degree[a] -= 1
            degree[b] -= 1
    return stays


def _root(leader: list[int], i: int) -> int:
    """Who leads the group of ``i`` in a union-find forest."""
    while leader[i] != i:
        leader[i] = leader[leader[i]]
        i = leader[i]
    return i


def _main_part(nodes: int, edges: np.ndarray) -> np.ndarray:
    """bool[nodes]: the node belongs to the largest connected part."""
    leader = list(range(nodes))
    for a, b in edges.tolist():
        leader[_root(leader, a)] = _root(leader, b)
    part = np.array([_root(leader, i) for i in range(nodes)])
    return part == np.bincount(part).argmax()


def strokes(plan: Plan) -> np.ndarray:
    """i64[m]: edges that a walker calls one street: those that go on most nearly straight at each node."""
    incident: list[list[int]] = [[] for _ in range(len(plan.xy))]
    for e, (a, b) in enumerate(plan.edges.tolist()):
        incident[a].append(e)
        incident[b].append(e)
    first = int(plan.avenue.max()) + 1  # an avenue is one street, whatever its bends
    leader = list(range(first + len(plan.edges)))
    for node, edges in enumerate(incident):
        small = [e for e in edges if plan.avenue[e] < 0]
        far = plan.edges[small].sum(axis=1) - node if small else np.empty(0, np.int64)
        ahead = np.arctan2(*(plan.xy[far] - plan.xy[node]).T[::-1])
        bends = sorted(
            (abs(np.pi - abs((ahead[i] - ahead[j] + np.pi) % (2 * np.pi) - np.pi)), i, j)
            for i in range(len(small))
            for j in range(i)
        )
        taken: set[int] = set()
        for bend, i, j in bends:
            if bend < 0.62 and not {i, j} & taken:
                taken |= {i, j}
                leader[_root(leader, first + small[i])] = _root(leader, first + small[j])
    own = np.where(plan.avenue >= 0, plan.avenue, first + np.arange(len(plan.edges)))
    return np.array([_root(leader, s) for s in own.tolist()])


def _lengths(plan: Plan) -> np.ndarray:
    return np.hypot(*(plan.xy[plan.edges[:, 0]] - plan.xy[plan.edges[:, 1]]).T)


def classes(rng: np.random.Generator, plan: Plan, stroke: np.ndarray, town: Town) -> np.ndarray:
    """u8[m]: avenues by whom they serve, then streets by their length; a few short ones are paths."""
    _, number = np.unique(stroke, return_inverse=True)
    length = np.bincount(number, _lengths(plan))[number]
    edges_of = np.bincount(number)[number]
    street_class = np.where(length > _COLLECTOR_FROM_M, _COLLECTOR, _LOCAL)
    path = (rng.random(number.max() + 1) < 0.12)[number] & (edges_of <= 2)
    street_class[path] = _PATH
    goals = np.array([_STRUCTURING if c < 8 else _DISTRIBUTOR for c in range(1, len(town.names))] + [0, 1])
    on = plan.avenue >= 0
    street_class[on] = goals[plan.avenue[on]]
    return street_class


def oneways(
    rng: np.random.Generator, plan: Plan, stroke: np.ndarray, street_class: np.ndarray, town: Town
) -> np.ndarray:
    """i8[m]: some small streets of the largest town, never such that a place cannot be left or reached."""
    ends = plan.xy[plan.edges].mean(axis=1)
    central = np.hypot(*ends.T) < 0.75 * town.radius[0]
    numbers, number = np.unique(stroke, return_inverse=True)
    drawn = (rng.random(len(numbers)) < 0.3)[number]
    oneway = np.where(drawn & central & (street_class == _LOCAL), 1, 0)
    for _ in range(50):
        bad = _cut_off(plan, oneway)
        if not bad.any():
            break
        oneway[bad[plan.edges].any(axis=1)] = 0
    return oneway


def _cut_off(plan: Plan, oneway: np.ndarray) -> np.ndarray:
    """bool[n]: the node cannot be reached from node 0, or node 0 not from it."""
    a, b = plan.edges.T
    both = oneway == 0
    bad = np.zeros(len(plan.xy), bool)
    for tail, head in ((a, b), (b, a)):
        tails, heads = np.concatenate([tail, head[both]]), np.concatenate([head, tail[both]])
        reached = np.zeros(len(plan.xy), bool)
        reached[0] = True
        count = 0
        while count != (count := int(reached.sum())):
            reached[heads[reached[tails]]] = True
        bad |= ~reached
    return bad


def shapes(rng: np.random.Generator, plan: Plan) -> list[np.ndarray]:
    """The line f64[k, 2] of each edge: slightly bowed, for no street is ruled; avenues less so."""
    bow = rng.normal(0.0, 1.0, len(plan.edges)) * np.where(plan.avenue >= 0, 0.008, 0.028)
    t = np.array([0.0, 0.3, 0.7, 1.0])[:, None]
    lines = []
    for (a, b), side in zip(plan.xy[plan.edges], np.clip(bow, -0.06, 0.06), strict=True):
        across = np.array([a[1] - b[1], b[0] - a[0]]) * side
        lines.append(a + (b - a) * t + across * 4 * t * (1 - t))
    return lines
