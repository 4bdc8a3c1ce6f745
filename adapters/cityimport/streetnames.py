"""Names for invented streets: French, plausible, and each on one street only."""

from __future__ import annotations

import itertools
from collections.abc import Generator

import numpy as np

from core.city import STREET_CLASSES

_SMALL = ("Rue", "Rue", "Rue", "Rue", "Allée", "Chemin", "Impasse")
_WIDE = ("Rue", "Avenue", "Cours", "Boulevard")
_FOOT = ("Passage", "Sentier", "Venelle", "Promenade")
_LISTS = (
    "des Tilleuls;des Platanes;des Acacias;des Érables;des Marronniers;des Cerisiers;des Noyers",
    "des Ormes;des Vignes;du Clos;du Pressoir;des Vendanges;des Tonneliers;des Forges;du Moulin",
    "du Lavoir;de la Fontaine;du Puits;de la Source;du Ruisseau;des Prés;des Champs;de la Plaine",
    "de la Colline;du Coteau;des Carrières;du Four;des Tanneurs;des Tisserands;des Maraîchers",
    "des Jardins;des Roses;des Lilas;des Glycines;des Iris;du Verger;de la Ferme;des Bergers",
    "du Stade;des Écoles;de la Gare;du Port;du Canal;de la Poste;du Marché;de la Liberté",
    "de la République;de la Fraternité;de la Paix;du Progrès;de l'Avenir;de l'Espérance;du Nord",
    "du Midi;du Levant;du Couchant;des Alouettes;des Hirondelles;des Rossignols;des Mésanges",
    "Saint-Martin;Saint-Michel;Saint-Bernard;Sainte-Anne;Saint-Jacques;Saint-Vincent;Saint-Nicolas",
    "Victor-Hugo;Jules-Verne;Émile-Zola;George-Sand;Colette;Lamartine;Voltaire;Diderot;Rousseau",
    "Molière;Racine;Corneille;La Fontaine;Buffon;Rameau;Berlioz;Bizet;Ravel;Debussy;Courbet",
    "Rude;Monet;Renoir;Marie-Curie;Pasteur;Ampère;Arago;Monge;Carnot;Gay-Lussac;Lavoisier",
    "Becquerel;Eiffel;Sophie-Germain;Jean-Moulin;Jean-Jaurès;Léon-Blum;Gambetta;Clemenceau",
    "Simone-Veil;Lucie-Aubrac;Olympe-de-Gouges;de Beaune;de Nuits;d'Auxonne;de Langres;de Gray",
    "de Dole;de Seurre;d'Autun;de Semur;de Montbard;de Mirande;des Poussots;de la Toison",
    "du Faubourg;de la Croix;du Calvaire;du Château;de la Tour;du Rempart",
)
_FIRST_NAMES = (
    *("Jean", "Marie", "Paul", "Louise", "Henri", "Jeanne", "Émile", "Claire", "Georges", "Berthe"),
    *("Lucien", "Suzanne", "Auguste", "Madeleine", "Félix", "Thérèse", "Gaston", "Irène"),
)
_FAMILY_NAMES = (
    *("Bernard", "Petit", "Garnier", "Girard", "Mercier", "Fournier", "Lambert", "Bonnet", "Perrin"),
    *("Morel", "Clément", "Robin", "Guyot", "Renaud", "Brunet", "Mathieu", "Jacquet", "Lacroix"),
    *("Barbier", "Meunier", "Marchand", "Rolland", "Vincent", "Picard", "Colin", "Perrot", "Poulet"),
)
_OF = [name for names in _LISTS for name in names.split(";")]
_OF += [f"{given}-{family}" for given in _FIRST_NAMES for family in _FAMILY_NAMES]
#: What follows a name at its n-th use: at first nothing, for the alley may be free where the street is not.
_SIDES = ("", "", "", "", " Nord", " Sud", " Est", " Ouest")
#: The roads to so many communes, the largest, are called avenues.
_AVENUES = 7
_RING, _BOULEVARD = "Rocade", "Boulevard de Ceinture"


def draw(
    rng: np.random.Generator,
    stroke: np.ndarray,
    avenue: np.ndarray,
    street_class: np.ndarray,
    goals: list[str],
) -> list[str]:
    """A name an edge: one for each ``stroke`` (i64[m]), that of its goal for each ``avenue`` (-1: none).

    ``goals`` are the communes that the avenues lead to, large ones first; after them come the two rings.
    """
    titles = [f"Avenue de {goal}" if i < _AVENUES else f"Route de {goal}" for i, goal in enumerate(goals)]
    titles += [_RING, _BOULEVARD]
    names = {int(s): titles[a] for s, a in zip(stroke, avenue, strict=True) if a >= 0}
    free = _free_names(rng, set(names.values()))
    next(free)
    for s, code in zip(stroke.tolist(), street_class.tolist(), strict=True):
        if s not in names:
            names[s] = free.send(_kinds(code))
    return [names[s] for s in stroke.tolist()]


def _kinds(code: int) -> tuple[str, ...]:
    if code == STREET_CLASSES.index("path"):
        return _FOOT
    return _WIDE if code <= STREET_CLASSES.index("collector") else _SMALL


def _free_names(rng: np.random.Generator, used: set[str]) -> Generator[str, tuple[str, ...], None]:
    """Sent the kinds that a street may be of, answers with a name that no street has yet."""
    order = rng.permutation(len(_OF)).tolist()
    kinds = yield ""
    for turn in itertools.count():
        side = _SIDES[turn] if turn < len(_SIDES) else f" {turn}"
        for of in order:
            name = f"{kinds[int(rng.integers(len(kinds)))]} {_OF[of]}{side}"
            if name not in used:
                used.add(name)
                kinds = yield name
