"""What citizens report: what each kind is called, who mends it and how soon, and how its place is to be read.

The words are those by which an agent of a citizens' line knows what a report is about, whatever the citizen
chose from the list.  They are written without accents and in the singular, as ``words.tokens`` gives them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

#: What the place of a report stands for: one thing of the register, one spot, a building, a length of street.
Extent = Literal["thing", "spot", "building", "stretch"]


class Category(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of report.

    ``fr``, ``en``: titles; ``trade``: whom it is routed to; ``skills``: what a team must be able to do;
    ``work_min``: usual minutes on site; ``sla_h``: hours until it should be done; ``extent``: what its place
    stands for; ``reach_m``: further away (m) nothing is called a duplicate without the same asset;
    ``related``: what it is mistaken for; ``words``: what people say about it; ``thing_fr``,
    ``thing_en``: the thing of the register, where there is one.
    """

    fr: str
    en: str
    trade: str
    skills: tuple[str, ...]
    work_min: int
    sla_h: int
    extent: Extent
    reach_m: float
    related: tuple[str, ...]
    words: tuple[str, ...]
    thing_fr: str = "équipement"
    thing_en: str = "thing"


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CATEGORIES: dict[str, Category] = {
    "lamp_out": Category(
        fr="Éclairage public en panne",
        en="Street light out",
        trade="lighting",
        skills=("electricity", "lift"),
        work_min=40,
        sla_h=72,
        thing_fr="lampadaire",
        thing_en="lamp",
        extent="thing",
        reach_m=160.0,
        related=("signal_out", "bus_shelter"),
        words=_list(
            "lampadaire reverbere eclairage lumiere lampe candelabre ampoule luminaire noir obscurite sombre "
            "allume eclaire clignote eteint eteinte"
        ),
    ),
    "pothole": Category(
        fr="Nid-de-poule",
        en="Pothole",
        trade="roads",
        skills=("asphalt",),
        work_min=45,
        sla_h=120,
        extent="spot",
        reach_m=160.0,
        related=("manhole", "sign_damaged", "water_leak", "snow_path"),
        words=_list(
            "nid poule trou chaussee route voie goudron bitume enrobe defonce defoncee orniere pneu "
            "jante affaissement revetement profond"
        ),
    ),
    "graffiti": Category(
        fr="Graffiti",
        en="Graffiti",
        trade="cleaning",
        skills=("graffiti",),
        work_min=60,
        sla_h=168,
        extent="building",
        reach_m=160.0,
        related=("tag_removal", "street_cleaning"),
        words=_list("graffiti inscription peinture bombe facade mur couverte dessin"),
    ),
    "waste_dumped": Category(
        fr="Dépôt sauvage",
        en="Dumped waste",
        trade="cleaning",
        skills=("truck",),
        work_min=30,
        sla_h=48,
        extent="spot",
        reach_m=160.0,
        related=("street_cleaning", "rats", "abandoned_car"),
        words=_list(
            "depot sauvage encombrant matelas carton gravat sac poubelle dechet ordure meuble canape frigo "
            "jete abandonne laisse odeur"
        ),
    ),
    "fallen_tree": Category(
        fr="Arbre ou branche à terre",
        en="Fallen tree or branch",
        trade="green",
        skills=("chainsaw",),
        work_min=90,
        sla_h=24,
        thing_fr="arbre",
        thing_en="tree",
        extent="spot",
        reach_m=160.0,
        related=("street_cleaning", "sign_damaged"),
        words=_list("arbre branche tronc platane tilleul racine tombe menace deracine"),
    ),
    "water_leak": Category(
        fr="Fuite d'eau",
        en="Water leak",
        trade="water",
        skills=("pipes",),
        work_min=120,
        sla_h=24,
        extent="spot",
        reach_m=160.0,
        related=("manhole", "pothole"),
        words=_list("eau fuite coule canalisation inondation ruisselle jaillit sol conduite"),
    ),
    "noise": Category(
        fr="Bruit",
        en="Noise",
        trade="police",
        skills=("patrol",),
        work_min=30,
        sla_h=72,
        extent="building",
        reach_m=160.0,
        related=("abandoned_car", "dog_mess"),
        words=_list("bruit tapage musique dormir nuit chantier fete voisin vacarme sono fort forte"),
    ),
    "abandoned_car": Category(
        fr="Véhicule abandonné",
        en="Abandoned vehicle",
        trade="police",
        skills=("tow",),
        work_min=45,
        sla_h=240,
        extent="spot",
        reach_m=160.0,
        related=("noise", "waste_dumped"),
        words=_list(
            "voiture ventouse epave vehicule abandonne gare garee stationne bouge pneu plat camionnette"
        ),
    ),
    "signal_out": Category(
        fr="Feux tricolores en panne",
        en="Traffic signal out",
        trade="signals",
        skills=("signals",),
        work_min=60,
        sla_h=8,
        thing_fr="carrefour à feux",
        thing_en="signalled junction",
        extent="thing",
        reach_m=160.0,
        related=("lamp_out", "sign_damaged"),
        words=_list("feu feux tricolore signalisation orange rouge vert clignotant pieton carrefour"),
    ),
    "bench_broken": Category(
        fr="Banc cassé",
        en="Broken bench",
        trade="green",
        skills=("joinery",),
        work_min=45,
        sla_h=240,
        thing_fr="banc",
        thing_en="bench",
        extent="spot",
        reach_m=160.0,
        related=("bus_shelter", "playground"),
        words=_list("banc planche assise dossier latte"),
    ),
    "dead_animal": Category(
        fr="Animal mort",
        en="Dead animal",
        trade="cleaning",
        skills=("remains",),
        work_min=20,
        sla_h=12,
        extent="spot",
        reach_m=160.0,
        related=("street_cleaning", "rats"),
        words=_list("mort morte animal chat chien pigeon herisson cadavre oiseau ecrase"),
    ),
    "playground": Category(
        fr="Aire de jeux abîmée",
        en="Damaged playground",
        trade="green",
        skills=("playground",),
        work_min=60,
        sla_h=72,
        thing_fr="aire de jeux",
        thing_en="playground",
        extent="thing",
        reach_m=160.0,
        related=("bench_broken",),
        words=_list("jeu jeux aire balancoire toboggan enfant tourniquet bascule"),
    ),
    "dog_mess": Category(
        fr="Déjections canines",
        en="Dog mess",
        trade="cleaning",
        skills=("sweeping",),
        work_min=20,
        sla_h=48,
        extent="stretch",
        reach_m=180.0,
        related=("street_cleaning", "noise"),
        words=_list("crotte chien dejection canine merde excrement"),
    ),
    "snow_path": Category(
        fr="Trottoir non déneigé",
        en="Snow on a footway",
        trade="snow",
        skills=("salting",),
        work_min=20,
        sla_h=12,
        extent="stretch",
        reach_m=180.0,
        related=("street_cleaning", "pothole"),
        words=_list("neige verglas deneige deneigement glisse sel glace gel salage"),
    ),
    "tag_removal": Category(
        fr="Tag à effacer",
        en="Tag to remove",
        trade="cleaning",
        skills=("graffiti",),
        work_min=45,
        sla_h=168,
        extent="building",
        reach_m=160.0,
        related=("graffiti",),
        words=_list("tag tague effacer enlever portail injurieux insulte"),
    ),
    "sign_damaged": Category(
        fr="Panneau abîmé",
        en="Damaged sign",
        trade="roads",
        skills=("signs",),
        work_min=40,
        sla_h=120,
        thing_fr="panneau",
        thing_en="sign",
        extent="spot",
        reach_m=160.0,
        related=("signal_out", "pothole", "fallen_tree"),
        words=_list("panneau panonceau stop poteau tordu couche illisible balise"),
    ),
    "manhole": Category(
        fr="Plaque ou bouche d'égout",
        en="Manhole or gully",
        trade="water",
        skills=("sewer",),
        work_min=45,
        sla_h=24,
        thing_fr="plaque",
        thing_en="cover",
        extent="spot",
        reach_m=160.0,
        related=("pothole", "water_leak"),
        words=_list("plaque egout bouche regard tampon grille avaloir claque fonte"),
    ),
    "bus_shelter": Category(
        fr="Abribus abîmé",
        en="Damaged bus shelter",
        trade="transit",
        skills=("glazing",),
        work_min=60,
        sla_h=96,
        thing_fr="abribus",
        thing_en="bus shelter",
        extent="thing",
        reach_m=160.0,
        related=("bench_broken", "lamp_out"),
        words=_list("abribus abri bus arret vitre vandalise aubette"),
    ),
    "rats": Category(
        fr="Rats",
        en="Rats",
        trade="cleaning",
        skills=("pest_control",),
        work_min=45,
        sla_h=168,
        extent="stretch",
        reach_m=180.0,
        related=("waste_dumped", "dead_animal"),
        words=_list("rat rongeur souris invasion terrier surmulot"),
    ),
    "street_cleaning": Category(
        fr="Rue sale",
        en="Dirty street",
        trade="cleaning",
        skills=("sweeping",),
        work_min=30,
        sla_h=48,
        extent="stretch",
        reach_m=180.0,
        related=("waste_dumped", "dog_mess", "graffiti", "fallen_tree", "dead_animal", "snow_path"),
        words=_list("sale salete verre feuille caniveau balayage nettoyage nettoyer balayer proprete papier"),
    ),
}
