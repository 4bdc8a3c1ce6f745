// Follows a post as docs/protocol.md tells it: node partner.mjs ENDPOINT KEYFILE [TOPIC ...]
// Prints a JSON line a second, until it is ended.
import { readFileSync } from "node:fs"
import { decode, encode } from "@msgpack/msgpack"
import { Dealer } from "zeromq"

const [endpoint, keyFile, ...topics] = process.argv.slice(2)
const key = Object.fromEntries(
  [...readFileSync(keyFile, "utf8").matchAll(/^(\w+) = "(.*)"$/gm)].map(([, name, value]) => [name, value]))
const CREDIT = { messages: 1000, bytes: 4_000_000 }
const socket = new Dealer({ immediate: true, linger: 0, maxMessageSize: 131072,
  curvePublicKey: key.public, curveSecretKey: key.secret, curveServerKey: key.server })
socket.connect(endpoint)

const rows = new Map()
const seen = { snapshots: 0, deltas: 0, changes: 0, gaps: 0, cuts: 0, refused: 0 }
let subscription = null, sequence = 0, whole = false, heard = 0, asked = 0, reported = 0, used = { messages: 0, bytes: 0 }
let sending = Promise.resolve()

const say = message => { sending = sending.then(() => socket.send(encode(message))).catch(() => {}) }
const again = () => { subscription = null; whole = false }

function grant(force) {
  if (!force && used.messages * 2 < CREDIT.messages && used.bytes * 2 < CREDIT.bytes) return
  say({ type: "credit", subscription, ...used })
  used = { messages: 0, bytes: 0 }
}

function take(changes) {
  for (const change of changes) {
    const id = JSON.stringify([change.topic, change.name, change.key])
    if (change.row === null) rows.delete(id)
    else if (change.topic !== "event") rows.set(id, change)
  }
  seen.changes += changes.length
}

function hear(message, size) {
  heard = Date.now()
  if (message.type === "snapshot") {
    if (message.part === 0) { rows.clear(); used = { messages: 0, bytes: 0 }; whole = false }
    subscription = message.subscription
    sequence = 0
    whole = message.last
    seen.snapshots += message.last
  } else if (message.type === "refused") { seen.refused++; again(); return }
  else if (message.subscription !== subscription) return
  else if (message.type === "cut") { seen.cuts++; again(); return }
  else if (message.type === "heartbeat") {
    if (whole && message.sequence !== sequence) { seen.gaps++; again() }
    return
  } else if (message.sequence !== ++sequence) { seen.gaps++; again(); return }
  else seen.deltas++
  take(message.changes)
  used.messages++
  used.bytes += size
  grant(false)
}

function report() {
  reported = Date.now()
  console.log(JSON.stringify({ whole, sequence, rows: rows.size, ...seen }))
}
setInterval(() => {
  if (subscription !== null && Date.now() - heard > 6000) again()
  if (subscription !== null) grant(true)
  else if (Date.now() - asked >= 1000) {
    asked = Date.now()
    say({ type: "subscribe", ...CREDIT, ...(topics.length ? { topics } : {}) })
  }
  report()
}, 1000)
process.on("SIGTERM", () => { report(); process.exit(0) })
for await (const [data] of socket) {
  hear(decode(data), data.length)
  // A busy socket leaves the timer no turn.
  if (Date.now() - reported > 1000) report()
}
