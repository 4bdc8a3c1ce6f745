// What people read, French first.
export const TEXTS = {
  fr: {
    other: "English", live: "en direct", lost: "liaison perdue depuis", waiting: "en attente du poste…",
    telemetry: "Télémesure", received: "échantillons reçus", perSecond: "par seconde", lostSamples: "perdus", refused: "refusés",
    gateways: "passerelles", lighting: "Éclairage", commands: "ordres émis", alarms: "Alarmes", none: "aucune", hooks: "Métiers",
    calls: "appels", post: "Poste", steps: "pas", skipped: "pas sautés", journal: "journal", unknown: "inconnu", off: "éteint",
    full: "100 %", synthetic: "Ville simulée ; est synthétique :", camera: "caméras", junction: "carrefours", faults: "Défauts du poste",
    map: "Carte : glisser pour déplacer, molette ou + et − pour agrandir",
    "lighting.summary": "Éclairage", "lighting.energy": "Énergie (kWh)",
    lamps: "points lumineux", dimmed: "gradués", lit: "allumés", boosted: "relevés par présence", faulty: "en défaut", silent: "muets",
    reference: "ancien parc", always_on: "toujours allumé", calendar: "calendrier", modelled: "modèle", metered: "compteurs",
  },
  en: {
    other: "Français", live: "live", lost: "link lost for", waiting: "waiting for the post…",
    telemetry: "Telemetry", received: "samples received", perSecond: "per second", lostSamples: "lost", refused: "refused",
    gateways: "gateways", lighting: "Lighting", commands: "commands sent", alarms: "Alarms", none: "none", hooks: "Trades",
    calls: "calls", post: "Post", steps: "steps", skipped: "skipped steps", journal: "journal", unknown: "unknown", off: "off",
    full: "100 %", synthetic: "Simulated city; synthetic are:", camera: "cameras", junction: "junctions", faults: "Faults of the post",
    map: "Map: drag to move, wheel or + and − to zoom",
    "lighting.summary": "Lighting", "lighting.energy": "Energy (kWh)",
    lamps: "light points", dimmed: "dimmed", lit: "lit", boosted: "raised by presence", faulty: "faulty", silent: "silent",
    reference: "old park", always_on: "always on", calendar: "calendar", modelled: "model", metered: "meters",
  },
};
