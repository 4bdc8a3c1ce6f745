// Follows a post as docs/protocol.md tells it: node partner.mjs ENDPOINT KEYFILE [TOPIC ...]
// Prints a JSON line a second, until it is ended.
import { readFileSync } from "node:fs"
import { decode, encode } from "@msgpack/msgpack"
import { Dealer } from "zeromq"

const CREDIT = { messages: 1000, bytes: 4_000_000 }, SILENCE_MS = 6000
const [endpoint, file, ...topics] = process.argv.slice(2)
const fields = readFileSync(file, "utf8").matchAll(/^(\w+) = "(.*)"$/gm)
const key = Object.fromEntries(Array.from(fields, ([, name, value]) => [name, value]))
// What cannot be sent at once is dropped: it is said anew a second later.
const socket = new Dealer({ immediate: true, sendTimeout: 0, linger: 0, maxMessageSize: 131072,
  curvePublicKey: key.public, curveSecretKey: key.secret, curveServerKey: key.server })
socket.connect(endpoint)

const rows = new Map()
const seen = { snapshots: 0, deltas: 0, changes: 0, gaps: 0, cuts: 0, refused: 0, silences: 0 }
let subscription = null, whole = false, sequence = 0, messages = 0, bytes = 0, heard = 0

const say = message => { socket.send(encode(message)).catch(() => {}) }
const begin = number => { subscription = number; sequence = messages = bytes = 0; rows.clear() }
const end = why => { subscription = null; whole = false; seen[why]++ }
const grant = () => { say({ type: "credit", subscription, messages, bytes }); messages = bytes = 0 }
const report = () => console.log(JSON.stringify({ whole, sequence, rows: rows.size, ...seen }))

const hear = {
  snapshot: ({ last }) => { whole = last; seen.snapshots += last },
  delta: message => { if (message.sequence === ++sequence) seen.deltas++; else end("gaps") },
  heartbeat: message => { if (whole && message.sequence !== sequence) end("gaps") },
  cut: () => end("cuts"),
  refused: () => end("refused"),
}

function take({ topic, name, key, row }) {
  const id = JSON.stringify([topic, name, key])
  if (row === null) rows.delete(id)
  else if (topic !== "event") rows.set(id, row)
  seen.changes++
}

setInterval(() => {
  if (subscription !== null && Date.now() - heard > SILENCE_MS) end("silences")
  if (subscription !== null) grant()
  else say({ type: "subscribe", ...CREDIT, ...(topics.length && { topics }) })
  report()
}, 1000)
process.on("SIGTERM", () => { report(); process.exit() })

for await (const [data] of socket) {
  const message = decode(data)
  if (message.part === 0) begin(message.subscription)
  if ((message.subscription ?? subscription) !== subscription) continue
  heard = Date.now()
  hear[message.type]?.(message)
  if (subscription === null || !message.changes) continue
  message.changes.forEach(take)
  messages++
  bytes += data.length
  if (messages * 2 >= CREDIT.messages || bytes * 2 >= CREDIT.bytes) grant()
}
