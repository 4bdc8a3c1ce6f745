"""What citizens of Dijon write: short French sentences by category, with streets, numbers and typos."""

from __future__ import annotations

import numpy as np

STREETS = (
    "rue de la Liberté", "rue Monge", "rue Berbisey", "rue d'Auxonne", "avenue Jean Jaurès",
    "rue de Mirande", "boulevard de la Trémouille", "rue de Jouvence", "rue des Forges",
    "avenue Victor Hugo", "rue de Longvic", "boulevard Voltaire", "rue Chabot-Charny",
    "rue du Faubourg Raines", "avenue du Drapeau", "rue de Talant", "cours du Parc", "rue Devosge",
    "rue de Gray", "boulevard de Strasbourg", "rue des Godrans", "rue Jeannin", "avenue Maréchal Foch",
    "rue de Chenôve", "rue du Transvaal", "rue de Larrey", "rue Verrerie", "rue Vannerie",
    "allée du Mail", "impasse des Tilleuls", "rue des Marmuzots", "rue de Montchapet", "rue Pasteur",
    "rue de la République", "place Darcy", "place Wilson", "quai Nicolas Rolin",
    "chemin des Grands Champs", "rue du Château", "rue des Écoles", "rue de l'Église",
    "avenue de Langres", "rue de Fontaine", "rue d'Ahuy",
)  # fmt: skip

SENTENCES: dict[str, tuple[str, ...]] = {
    "lamp_out": (
        "Le lampadaire ne s'allume plus {ou}.",
        "Plus de lumière {ou} depuis deux jours.",
        "Un réverbère est éteint {ou}, il fait très noir.",
        "L'éclairage clignote puis s'éteint {ou}.",
    ),
    "pothole": (
        "Gros nid de poule {ou}.",
        "Il y a un trou dans la chaussée {ou}, dangereux à vélo.",
        "La route est défoncée {ou}.",
        "Trou profond sur la voie {ou}, j'ai abîmé un pneu.",
    ),
    "graffiti": (
        "Des graffitis sur le mur {ou}.",
        "Façade couverte de graffitis {ou}.",
        "Inscriptions à la peinture {ou}.",
    ),
    "waste_dumped": (
        "Dépôt sauvage {ou} : matelas et cartons.",
        "Des encombrants ont été laissés {ou}.",
        "Quelqu'un a jeté des gravats {ou}.",
        "Sacs poubelle abandonnés {ou}, ça sent mauvais.",
    ),
    "fallen_tree": (
        "Un arbre est tombé {ou}.",
        "Grosse branche cassée en travers du trottoir {ou}.",
        "Une branche menace de tomber {ou}.",
    ),
    "water_leak": (
        "De l'eau coule sur la chaussée {ou}.",
        "Fuite d'eau sur le trottoir {ou} depuis ce matin.",
        "L'eau sort du sol {ou}.",
    ),
    "noise": (
        "Tapage toutes les nuits {ou}.",
        "Musique très forte {ou}, impossible de dormir.",
        "Bruit de chantier avant sept heures {ou}.",
    ),
    "abandoned_car": (
        "Voiture ventouse {ou}, elle n'a pas bougé depuis un mois.",
        "Une épave est garée {ou}.",
        "Véhicule abandonné {ou}, pneus à plat.",
    ),
    "signal_out": (
        "Le feu tricolore ne marche plus {ou}.",
        "Les feux sont à l'orange clignotant {ou}.",
        "Le feu piéton reste au rouge {ou}.",
    ),
    "bench_broken": ("Le banc est cassé {ou}.", "Il manque une planche au banc {ou}.", "Banc arraché {ou}."),
    "dead_animal": ("Un chat mort {ou}.", "Animal mort sur le bord de la route {ou}.", "Pigeon mort {ou}."),
    "playground": (
        "La balançoire est cassée à l'aire de jeux {ou}.",
        "Le toboggan est abîmé {ou}, un enfant s'est coupé.",
        "Jeu pour enfants hors service {ou}.",
    ),
    "dog_mess": ("Crottes de chien partout {ou}.", "Le trottoir est plein de déjections {ou}."),
    "snow_path": (
        "Le trottoir n'est pas déneigé {ou}.",
        "Ça glisse beaucoup {ou}, pas de sel.",
        "Neige et verglas sur le passage {ou}.",
    ),
    "tag_removal": (
        "Merci d'enlever le tag {ou}.",
        "Un tag injurieux à effacer {ou}.",
        "Tags sur le portail {ou}.",
    ),
    "sign_damaged": (
        "Le panneau stop est tordu {ou}.",
        "Panneau couché par une voiture {ou}.",
        "On ne lit plus le panneau {ou}.",
    ),
    "manhole": (
        "La plaque d'égout bouge {ou}.",
        "Une bouche d'égout est ouverte {ou}, danger !",
        "Plaque qui claque à chaque voiture {ou}.",
    ),
    "bus_shelter": (
        "La vitre de l'abribus est brisée {ou}.",
        "Abribus vandalisé {ou}.",
        "Le banc de l'arrêt de bus est arraché {ou}.",
    ),
    "rats": ("J'ai vu des rats {ou}.", "Invasion de rats près des poubelles {ou}.", "Un nid de rats {ou}."),
    "street_cleaning": (
        "La rue est très sale {ou}.",
        "Verre cassé sur la piste cyclable {ou}.",
        "Les feuilles mortes bouchent le caniveau {ou}.",
    ),
}

_BEFORE = ("", "", "", "", "Bonjour, ", "Bonjour. ", "Encore une fois : ", "Urgent, ")
_AFTER = ("", "", "", "", " Merci.", " Merci d'avance.", " C'est urgent.", " Cordialement", " Déjà signalé !")
_BARE = str.maketrans("éèêëàâîïôûùçÉÈÀ", "eeeeaaiiouucEEA")


def sentence(rng: np.random.Generator, category: str, street: int, house: int, asset: str) -> str:
    """One report's words: of the true category, with a street, perhaps a house or an asset's number."""
    said = str(rng.choice(np.array(SENTENCES[category]))).replace("{ou}", _where(rng, street, house, asset))
    before, after = _BEFORE[rng.integers(len(_BEFORE))], _AFTER[rng.integers(len(_AFTER))]
    return _typed(rng, before + (said[0].lower() + said[1:] if before.endswith(", ") else said) + after)


def _where(rng: np.random.Generator, street: int, house: int, asset: str) -> str:
    name = STREETS[street % len(STREETS)]
    luck = rng.random()
    if asset and luck < 0.4:
        return f"{name}, n° {asset.rpartition('/')[2]}"
    if luck < 0.75:
        return f"devant le {house} {name}"
    return f"{name}" if luck < 0.93 else "en bas de chez moi"


def _typed(rng: np.random.Generator, text: str) -> str:
    """The text as thumbs type it: without accents, in small letters, a letter lost, doubled or swapped."""
    if rng.random() < 0.25:
        text = text.translate(_BARE)
    if rng.random() < 0.2:
        text = text.lower().rstrip(".")
    for _ in range(int(rng.poisson(0.5))):
        k = int(rng.integers(1, len(text) - 1))
        if text[k - 1 : k + 2].isalpha():
            text = (
                text[:k] + (text[k + 1 :], text[k] + text[k:], text[k + 1] + text[k] + text[k + 2 :])[k % 3]
            )
    return text
