import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'

/** The media end of a SIP client: hears what is sent to it, and presses keys. */
export type Ear = {
  address: string
  port: number
  /** One entry a packet heard: when, and how loud (RMS of its samples, 0 to 32767). */
  packets: { atMs: number; loudness: number }[]
  /** The keys that were sent to it as RFC 2833 events. */
  keys(): string
  /** Milliseconds of packets louder than speech at its softest. */
  heardMs(): number
  /** Where it sends to before any sound has come from there. */
  speakTo(address: string, port: number): void
  /** Sends keys as RFC 2833 events to where the sound comes from; 100 ms each. */
  press(keys: string): Promise<void>
  /** Sends a tone of 400 Hz for so many milliseconds. */
  speak(ms: number): Promise<void>
  /** Sends silence, as a telephone does that nobody speaks into. */
  hush(ms: number): Promise<void>
  close(): void
}

/** Speech and tones stand above this, silence and comfort noise below. */
const audible = 200
const packetMs = 20
const eventPayload = 101

/** Opens the media port of a SIP client that speaks PCMU. */
export async function openEar(address: string): Promise<Ear> {
  const socket = createSocket('udp4')
  const packets: Ear['packets'] = []
  const pressed = new Map<number, string>()
  let speaker: Pick<RemoteInfo, 'address' | 'port'> | undefined
  socket.on('message', (packet, from) => {
    speaker = from
    if (packet.length <= 12) return
    if (payloadType(packet) === 0) packets.push({ atMs: Date.now(), loudness: loudness(payload(packet)) })
    // One key has one timestamp.
    if (payloadType(packet) === eventPayload)
      pressed.set(packet.readUInt32BE(4), keyNames[payload(packet).readUInt8(0)] ?? '?')
  })
  socket.bind(0, address)
  await once(socket, 'listening')
  const sender = createSender((packet) => {
    if (speaker === undefined) throw new Error('No sound came yet: nobody to send keys to.')
    socket.send(packet, speaker.port, speaker.address)
  })
  return {
    address,
    port: socket.address().port,
    packets,
    keys: () => [...pressed.values()].join(''),
    speakTo: (to, port) => {
      speaker ??= { address: to, port }
    },
    heardMs: () => packets.filter((packet) => packet.loudness > audible).length * packetMs,
    press: async (keys) => {
      for (const key of keys) await sender.press(key)
    },
    speak: (ms) => sender.send(ms, toneUlaw),
    hush: (ms) => sender.send(ms, silenceUlaw),
    close: () => socket.close(),
  }
}

const keyNames = '0123456789*#'

const payloadType = (packet: Buffer) => packet.readUInt8(1) & 0x7f

function payload(packet: Buffer): Buffer {
  const contributors = packet.readUInt8(0) & 0x0f
  return packet.subarray(12 + 4 * contributors)
}

function loudness(ulaw: Buffer): number {
  let sum = 0
  for (const byte of ulaw) sum += decodeUlaw(byte) ** 2
  return Math.sqrt(sum / Math.max(1, ulaw.length))
}

// ITU-T G.711.
function decodeUlaw(byte: number): number {
  const bits = ~byte & 0xff
  const magnitude = (((bits & 0x0f) << 3) + 0x84) << ((bits & 0x70) >> 4)
  return bits & 0x80 ? 0x84 - magnitude : magnitude - 0x84
}

// 20 ms of 400 Hz: whole waves, so that packets join without a click.
const toneUlaw = Buffer.from(
  Array.from({ length: 160 }, (_, n) => encodeUlaw(Math.round(8000 * Math.sin((2 * Math.PI * n) / 20)))),
)

const silenceUlaw = Buffer.alloc(160, 0xff)

function encodeUlaw(sample: number): number {
  const magnitude = Math.min(Math.abs(sample) + 0x84, 0x7fff)
  const exponent = Math.max(0, Math.floor(Math.log2(magnitude)) - 7)
  const bits = (sample < 0 ? 0x80 : 0) | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)
  return ~bits & 0xff
}

// RFC 4733: one event in several packets with one timestamp and a growing duration, its end three times.
function createSender(send: (packet: Buffer) => void) {
  let sequence = 1
  let timestamp = 1000
  const sendEvent = (event: number, duration: number, first: boolean, last: boolean) => {
    const packet = Buffer.alloc(16)
    packet.writeUInt8(0x80, 0)
    packet.writeUInt8((first ? 0x80 : 0) | eventPayload, 1)
    packet.writeUInt16BE(sequence++ & 0xffff, 2)
    packet.writeUInt32BE(timestamp, 4)
    packet.writeUInt32BE(0x5eed, 8)
    packet.writeUInt8(event, 12)
    packet.writeUInt8((last ? 0x80 : 0) | 10, 13)
    packet.writeUInt16BE(duration, 14)
    send(packet)
  }
  const sendSound = (sound: Buffer, atMs: number) => {
    const packet = Buffer.alloc(12 + sound.length)
    packet.writeUInt8(0x80, 0)
    packet.writeUInt8(atMs === 0 ? 0x80 : 0, 1)
    packet.writeUInt16BE(sequence++ & 0xffff, 2)
    timestamp += sound.length
    packet.writeUInt32BE(timestamp, 4)
    packet.writeUInt32BE(0x5eed, 8)
    sound.copy(packet, 12)
    send(packet)
  }
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  return {
    // By the clock and not by the packet: a timer of 20 ms is late on a busy machine.
    send: async (ms: number, sound: Buffer) => {
      const started = performance.now()
      for (let sent = 0; sent < ms; sent += packetMs) {
        sendSound(sound, sent)
        await pause(Math.max(0, started + sent + packetMs - performance.now()))
      }
    },
    press: async (key: string) => {
      const event = keyNames.indexOf(key)
      if (event === -1) throw new Error(`${key} is no key of a telephone.`)
      for (let packet = 1; packet <= 5; packet++) {
        sendEvent(event, 160 * packet, packet === 1, false)
        await pause(packetMs)
      }
      for (let end = 0; end < 3; end++) sendEvent(event, 960, false, true)
      timestamp += 4000
      await pause(100)
    },
  }
}
