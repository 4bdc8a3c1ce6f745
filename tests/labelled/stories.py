"""The topics that devices and people use, and the stories: what each kind of incident makes them say."""

from __future__ import annotations

import msgspec

TOPICS: dict[str, str] = {
    "lighting.lamp_fault": "A lamp's controller says that power or hours deviate from the command.",
    "lighting.lamp_silent": "A lamp no longer answers: dead, without current, or its radio is lost.",
    "lighting.cabinet_fault": "A cabinet's breaker, fuse or meter says that a circuit or the supply is gone.",
    "lighting.day_burner": "A lamp burns by day: a stuck relay, or a crew at work on the circuit.",
    "lighting.door_opened": "The door of a cabinet opened: a crew, a thief, or a worn contact.",
    "network.link_cut": "A switch sees no light on a fibre link: cut, unplugged, or a dead neighbour.",
    "network.gateway_silent": "A radio gateway no longer answers: its current or its link is gone.",
    "network.camera_silent": "A camera's picture is gone: camera dead, without current, or its link cut.",
    "traffic.detector_jam": "A loop counts a standing column: jam, blocked lane, or a car parked on it.",
    "traffic.signal_fault": "A junction's controller is faulty, flashes, or is lost to the centre.",
    "traffic.queue": "The travel-time system computes a queue: a hindrance downstream, or rush hour.",
    "transit.vehicle_stopped": "A bus or tram stands too long: hindrance, breakdown, or a driver's break.",
    "transit.delay": "A journey is minutes late: hindrance or ordinary traffic.",
    "transit.line_blocked": "The operator of the network says that a line cannot pass a place.",
    "cctv.stopped_vehicle": "An authorised analytic sees a standing vehicle: accident, delivery, shadow.",
    "cctv.crowd_density": "An authorised analytic counts a denser crowd than usual; no identity.",
    "cctv.smoke": "An authorised analytic sees smoke: a fire, steam, or fog.",
    "cctv.wrong_way": "An authorised analytic sees a vehicle against the direction: detour, reflection.",
    "cctv.object_on_road": "An authorised analytic sees an object on the roadway: branch, load, shadow.",
    "police.call": "Somebody telephones the municipal police; the operator types what and where.",
    "police.officer_alarm": "An officer pressed the radio's alarm key: aggression, fall, or mistake.",
    "police.patrol_observed": "A patrol says by radio what it sees at its place.",
    "roads.defect": "A road patrol records damage of the roadway: hole, subsidence, loose cover.",
    "roads.water_on_road": "A level sensor or a road patrol says that water stands on the roadway.",
    "roads.obstacle": "A road patrol or crew says that something blocks the roadway.",
    "security.fire_alarm": "A public building's fire panel alarms: fire, smoke from outside, or dust.",
    "security.gas_alarm": "A building's gas detector is above its threshold: a leak, or solvent.",
    "security.emergency_exit_blocked": "A sensor says that an exit cannot open: a car, goods, snow.",
    "security.intrusion": "A building's door or movement contact alarms: break-in, flight, a cleaner.",
    "snow.slippery": "A road weather station or gritting vehicle measures a slippery surface.",
    "citizens.report": "Somebody reports by the city's application, with a place and a category.",
    "emergency.call_112": "The 112 centre passes on a call that concerns the city, with its own geocoding.",
}

PEOPLE = frozenset(
    {
        "police.call",
        "police.patrol_observed",
        "roads.defect",
        "roads.obstacle",
        "citizens.report",
        "emergency.call_112",
    }
)

CATEGORIES = (
    "accident", "exit_blocked", "flooding", "tree", "gas", "crowd", "dark", "lost_child", "fire",
    "network", "signal_out", "water_leak", "ice", "aggression", "jam", "noise", "parking", "other",
)  # fmt: skip


class Emission(msgspec.Struct, frozen=True):
    """What one source says in a story.

    `share`: relative number of signs; `source`: a key of `sources.SOURCES`; `first`: share that comes in
    the first burst, of mean `burst_s` after `lag_s`, the others until the incident ends; `spread_m`: how
    far along the street the thing reaches (standard deviation; across it a third).
    """

    topic: str
    share: float
    source: str
    first: float = 0.6
    lag_s: float = 0.0
    burst_s: float = 60.0
    spread_m: float = 15.0


class Story(msgspec.Struct, frozen=True):
    """A kind of incident: `size` (median, log sigma) in signs, `lasts_min` (least, most) in minutes.

    `category`: what a caller rightly says; `confused`: what a mistaken one says; `site`: the kind of asset
    that it happens at ("" = any street); `walk_m`: how far a procession walks out before it turns back;
    `gathers`: "feeder" or "link" when it takes down all that one such asset serves.
    """

    name: str
    category: str
    confused: tuple[str, ...]
    size: tuple[float, float]
    lasts_min: tuple[float, float]
    says: tuple[Emission, ...]
    site: str = ""
    walk_m: float = 0.0
    gathers: str = ""


E = Emission

_ALL = (
    Story(
        "road_accident", "accident", ("jam", "signal_out", "other"), (38, 0.6), (15, 70),
        (
            E("emergency.call_112", 0.16, "call_112", 0.75, 40, 150),
            E("police.call", 0.12, "phone", 0.6, 60, 240),
            E("cctv.stopped_vehicle", 0.1, "seen", 0.7, 10, 60),
            E("cctv.object_on_road", 0.05, "seen", 0.8, 5, 60),
            E("cctv.wrong_way", 0.03, "seen", 0.3, 120, 120, 60),
            E("traffic.detector_jam", 0.18, "detector", 0.3, 90, 300, 160),
            E("traffic.queue", 0.1, "street", 0.3, 150, 300, 180),
            E("transit.vehicle_stopped", 0.08, "bus", 0.4, 60, 240),
            E("transit.delay", 0.08, "bus", 0.1, 240, 300),
            E("police.patrol_observed", 0.06, "patrol", 0.3, 300, 240),
            E("roads.obstacle", 0.04, "crew", 0.2, 480, 300),
        ),
    ),
    Story(
        "blocked_exit", "exit_blocked", ("parking", "other"), (9, 0.4), (10, 50),
        (
            E("security.emergency_exit_blocked", 0.4, "exit", 0.6, 0, 40),
            E("cctv.stopped_vehicle", 0.2, "seen", 0.5, 20, 90, 10),
            E("police.call", 0.15, "phone", 0.5, 180, 300),
            E("citizens.report", 0.1, "app", 0.4, 240, 400),
            E("police.patrol_observed", 0.15, "patrol", 0.2, 420, 240),
        ),
        site="building",
    ),
    Story(
        "flooded_underpass", "flooding", ("water_leak", "accident", "jam"), (34, 0.5), (30, 90),
        (
            E("roads.water_on_road", 0.24, "underpass", 0.4, 0, 120),
            E("cctv.stopped_vehicle", 0.1, "seen", 0.4, 120, 240),
            E("traffic.detector_jam", 0.14, "detector", 0.2, 240, 400, 140),
            E("traffic.queue", 0.08, "street", 0.2, 300, 400, 150),
            E("emergency.call_112", 0.12, "call_112", 0.4, 180, 400),
            E("police.call", 0.12, "phone", 0.4, 200, 400),
            E("transit.line_blocked", 0.04, "line", 0.5, 420, 240),
            E("transit.delay", 0.08, "bus", 0.1, 400, 400),
            E("roads.obstacle", 0.04, "crew", 0.2, 600, 400),
            E("citizens.report", 0.04, "app", 0.3, 300, 600),
        ),
        site="underpass",
    ),
    Story(
        "fallen_tree", "tree", ("accident", "dark", "other"), (22, 0.5), (25, 90),
        (
            E("police.call", 0.2, "phone", 0.6, 90, 240),
            E("emergency.call_112", 0.14, "call_112", 0.6, 60, 240),
            E("citizens.report", 0.12, "app", 0.3, 180, 600),
            E("cctv.object_on_road", 0.12, "seen", 0.8, 5, 60),
            E("lighting.lamp_fault", 0.1, "lamp", 0.8, 5, 60, 25),
            E("lighting.lamp_silent", 0.06, "lamp", 0.7, 10, 120, 30),
            E("roads.obstacle", 0.1, "crew", 0.3, 500, 300),
            E("transit.vehicle_stopped", 0.08, "bus", 0.4, 120, 300),
            E("traffic.queue", 0.08, "street", 0.2, 240, 300, 120),
        ),
    ),
    Story(
        "gas_smell", "gas", ("fire", "water_leak", "other"), (24, 0.5), (30, 90),
        (
            E("emergency.call_112", 0.28, "call_112", 0.4, 0, 400, 50),
            E("police.call", 0.2, "phone", 0.4, 60, 400, 60),
            E("security.gas_alarm", 0.16, "gas", 0.5, 60, 300, 40),
            E("citizens.report", 0.1, "app", 0.3, 120, 600, 60),
            E("police.patrol_observed", 0.12, "patrol", 0.2, 400, 300, 40),
            E("transit.line_blocked", 0.04, "line", 0.4, 900, 300),
            E("transit.delay", 0.06, "bus", 0.1, 900, 400),
            E("roads.defect", 0.04, "crew", 0.2, 900, 600),
        ),
    ),
    Story(
        "demonstration", "crowd", ("noise", "aggression", "jam"), (110, 0.6), (50, 90),
        (
            E("cctv.crowd_density", 0.34, "seen", 0.15, 0, 300, 70),
            E("transit.delay", 0.13, "bus", 0.1, 240, 400, 80),
            E("transit.vehicle_stopped", 0.1, "bus", 0.15, 180, 300, 80),
            E("transit.line_blocked", 0.03, "line", 0.3, 300, 300),
            E("traffic.detector_jam", 0.13, "detector", 0.1, 120, 400, 150),
            E("traffic.queue", 0.06, "street", 0.1, 180, 400, 160),
            E("police.patrol_observed", 0.08, "patrol", 0.15, 0, 300, 90),
            E("police.call", 0.07, "phone", 0.15, 120, 500, 70),
            E("citizens.report", 0.03, "app", 0.1, 300, 600, 70),
            E("cctv.wrong_way", 0.02, "seen", 0.1, 300, 400, 120),
            E("police.officer_alarm", 0.01, "officer", 0.0, 900, 300, 60),
        ),
        walk_m=800,
    ),
    Story(
        "feeder_down", "dark", ("signal_out", "aggression", "other"), (1_100, 0.7), (30, 90),
        (
            E("lighting.lamp_silent", 0.8, "fed_lamp", 0.7, 0, 25),
            E("lighting.lamp_fault", 0.08, "fed_lamp", 0.6, 0, 60),
            E("lighting.cabinet_fault", 0.05, "fed_cabinet", 0.8, 0, 15),
            E("lighting.door_opened", 0.003, "fed_cabinet", 0.0, 1_500, 300),
            E("network.gateway_silent", 0.006, "gateway", 0.6, 60, 60),
            E("network.camera_silent", 0.008, "camera", 0.7, 5, 30),
            E("traffic.signal_fault", 0.008, "junction", 0.7, 2, 20),
            E("police.call", 0.017, "phone", 0.4, 120, 500),
            E("emergency.call_112", 0.006, "call_112", 0.4, 120, 400),
            E("citizens.report", 0.02, "app", 0.25, 180, 700),
            E("police.patrol_observed", 0.004, "patrol", 0.2, 300, 400),
        ),
        gathers="feeder",
    ),
    Story(
        "lost_child", "lost_child", ("aggression", "other"), (10, 0.4), (15, 80),
        (
            E("police.call", 0.32, "phone", 0.5, 0, 300, 80),
            E("emergency.call_112", 0.2, "call_112", 0.5, 60, 300, 60),
            E("police.patrol_observed", 0.3, "patrol", 0.1, 500, 400, 150),
            E("citizens.report", 0.1, "app", 0.2, 300, 600, 120),
            E("transit.vehicle_stopped", 0.08, "bus", 0.0, 600, 400),
        ),
    ),
    Story(
        "building_fire", "fire", ("gas", "accident", "other"), (70, 0.6), (40, 90),
        (
            E("security.fire_alarm", 0.16, "fire", 0.6, 0, 90),
            E("cctv.smoke", 0.14, "seen", 0.4, 90, 240, 50),
            E("emergency.call_112", 0.24, "call_112", 0.6, 60, 240, 40),
            E("police.call", 0.12, "phone", 0.5, 120, 300, 50),
            E("security.intrusion", 0.04, "door", 0.5, 60, 120),
            E("cctv.crowd_density", 0.06, "seen", 0.2, 300, 300, 50),
            E("traffic.detector_jam", 0.07, "detector", 0.2, 400, 400, 130),
            E("traffic.queue", 0.03, "street", 0.2, 400, 400, 150),
            E("transit.vehicle_stopped", 0.05, "bus", 0.2, 400, 300),
            E("transit.line_blocked", 0.02, "line", 0.4, 600, 300),
            E("police.patrol_observed", 0.05, "patrol", 0.2, 300, 300, 40),
            E("citizens.report", 0.02, "app", 0.3, 240, 600, 80),
        ),
        site="building",
    ),
    Story(
        "fibre_cut", "network", ("other", "dark"), (60, 0.6), (30, 90),
        (
            E("network.link_cut", 0.06, "cut_link", 0.9, 0, 4),
            E("roads.defect", 0.05, "crew", 0.3, 300, 600),
            E("network.camera_silent", 0.45, "cut_camera", 0.75, 2, 30),
            E("network.gateway_silent", 0.2, "cut_gateway", 0.6, 20, 90),
            E("traffic.signal_fault", 0.14, "cut_junction", 0.7, 10, 60),
            E("transit.delay", 0.05, "bus", 0.0, 600, 300),
            E("police.call", 0.05, "phone", 0.3, 300, 600),
        ),
        site="link",
        gathers="link",
    ),
    Story(
        "signals_broken", "signal_out", ("jam", "accident", "dark"), (32, 0.5), (20, 80),
        (
            E("traffic.signal_fault", 0.15, "junction", 0.6, 0, 20),
            E("traffic.detector_jam", 0.26, "detector", 0.25, 180, 300, 100),
            E("traffic.queue", 0.12, "street", 0.2, 240, 300, 140),
            E("transit.delay", 0.12, "bus", 0.15, 240, 300),
            E("police.call", 0.14, "phone", 0.4, 180, 300),
            E("citizens.report", 0.09, "app", 0.3, 240, 600),
            E("cctv.stopped_vehicle", 0.06, "seen", 0.2, 200, 200, 30),
            E("police.patrol_observed", 0.06, "patrol", 0.2, 500, 300),
        ),
        site="junction",
    ),
    Story(
        "main_burst", "water_leak", ("flooding", "gas", "other"), (46, 0.5), (40, 90),
        (
            E("roads.water_on_road", 0.14, "crew_water", 0.3, 300, 400, 50),
            E("roads.defect", 0.08, "crew", 0.2, 600, 500, 25),
            E("police.call", 0.18, "phone", 0.5, 60, 300, 40),
            E("emergency.call_112", 0.1, "call_112", 0.5, 90, 300, 40),
            E("citizens.report", 0.14, "app", 0.3, 120, 700, 60),
            E("cctv.object_on_road", 0.05, "seen", 0.4, 60, 200, 20),
            E("traffic.detector_jam", 0.12, "detector", 0.2, 400, 400, 130),
            E("traffic.queue", 0.06, "street", 0.2, 400, 400, 150),
            E("transit.vehicle_stopped", 0.06, "bus", 0.2, 300, 300),
            E("security.intrusion", 0.03, "door", 0.3, 300, 300, 30),
            E("lighting.cabinet_fault", 0.04, "cabinet", 0.3, 600, 300, 40),
        ),
    ),
    Story(
        "icy_slope", "ice", ("accident", "jam", "water_leak"), (28, 0.5), (40, 90),
        (
            E("snow.slippery", 0.24, "gritter", 0.3, 0, 300, 80),
            E("snow.slippery", 0.06, "station", 0.3, 0, 300),
            E("cctv.stopped_vehicle", 0.14, "seen", 0.2, 120, 400, 60),
            E("cctv.wrong_way", 0.03, "seen", 0.1, 200, 400, 60),
            E("transit.vehicle_stopped", 0.12, "bus", 0.3, 120, 400, 60),
            E("transit.delay", 0.08, "bus", 0.1, 300, 400),
            E("police.call", 0.13, "phone", 0.3, 120, 500, 60),
            E("emergency.call_112", 0.08, "call_112", 0.3, 180, 400, 60),
            E("citizens.report", 0.08, "app", 0.2, 200, 700, 80),
            E("traffic.queue", 0.04, "street", 0.2, 300, 400, 120),
        ),
    ),
    Story(
        "aggression", "aggression", ("crowd", "noise", "other"), (12, 0.5), (8, 45),
        (
            E("police.officer_alarm", 0.16, "officer", 0.8, 30, 60),
            E("police.call", 0.28, "phone", 0.6, 20, 180, 25),
            E("emergency.call_112", 0.2, "call_112", 0.6, 30, 180, 25),
            E("police.patrol_observed", 0.16, "patrol", 0.3, 180, 180, 30),
            E("cctv.crowd_density", 0.14, "seen", 0.5, 30, 120, 20),
            E("transit.vehicle_stopped", 0.06, "bus", 0.3, 120, 180),
        ),
    ),
)  # fmt: skip

STORIES: dict[str, Story] = {story.name: story for story in _ALL}

# Different causes in the same streets within minutes; only the first of a knot may need a site.
KNOTS: tuple[tuple[str, ...], ...] = (
    ("feeder_down", "road_accident"),
    ("gas_smell", "demonstration"),
    ("signals_broken", "fallen_tree"),
    ("demonstration", "lost_child", "main_burst"),
    ("building_fire", "aggression"),
    ("feeder_down", "gas_smell", "lost_child"),
    ("fibre_cut", "fallen_tree"),
    ("blocked_exit", "road_accident"),
    ("icy_slope", "lost_child"),
    ("flooded_underpass", "aggression"),
    ("blocked_exit", "main_burst", "aggression"),
)
# The same kind at the same time, kilometres apart.
TWINS = ("feeder_down", "road_accident", "building_fire", "main_burst", "fallen_tree", "icy_slope")
# The same kind at the same place, hours apart.
AGAINS = ("road_accident", "blocked_exit", "signals_broken", "aggression", "flooded_underpass")


class Unrelated(msgspec.Struct, frozen=True):
    """Noise of one topic: relative share, source, and whether it follows the rush hour."""

    topic: str
    share: float
    source: str
    rush: bool = False


NOISE: tuple[Unrelated, ...] = (
    Unrelated("lighting.lamp_fault", 0.11, "lamp"),
    Unrelated("lighting.lamp_silent", 0.06, "lamp"),
    Unrelated("lighting.day_burner", 0.03, "lamp"),
    Unrelated("lighting.cabinet_fault", 0.01, "cabinet"),
    Unrelated("lighting.door_opened", 0.05, "cabinet"),
    Unrelated("network.gateway_silent", 0.015, "gateway"),
    Unrelated("network.camera_silent", 0.02, "camera"),
    Unrelated("traffic.detector_jam", 0.13, "detector", rush=True),
    Unrelated("traffic.queue", 0.05, "street", rush=True),
    Unrelated("traffic.signal_fault", 0.01, "junction"),
    Unrelated("transit.delay", 0.08, "bus", rush=True),
    Unrelated("transit.vehicle_stopped", 0.05, "bus", rush=True),
    Unrelated("cctv.stopped_vehicle", 0.07, "seen"),
    Unrelated("cctv.crowd_density", 0.02, "seen"),
    Unrelated("cctv.smoke", 0.01, "seen"),
    Unrelated("cctv.wrong_way", 0.015, "seen"),
    Unrelated("cctv.object_on_road", 0.03, "seen"),
    Unrelated("police.call", 0.06, "phone"),
    Unrelated("police.officer_alarm", 0.003, "officer"),
    Unrelated("police.patrol_observed", 0.025, "patrol"),
    Unrelated("emergency.call_112", 0.02, "call_112"),
    Unrelated("citizens.report", 0.06, "app"),
    Unrelated("roads.defect", 0.02, "crew"),
    Unrelated("roads.obstacle", 0.007, "crew"),
    Unrelated("security.intrusion", 0.03, "door"),
    Unrelated("security.fire_alarm", 0.007, "fire"),
    Unrelated("security.gas_alarm", 0.003, "gas"),
    Unrelated("security.emergency_exit_blocked", 0.005, "exit"),
    Unrelated("snow.slippery", 0.01, "gritter"),
)
