/** One message of mod_event_socket: header lines, and a body when Content-Length names one. */
export type Frame = { headers: ReadonlyMap<string, string>; body: Buffer }

/** Reads the frames that a chunk of the stream completes, in order. It throws when the stream is none of
 * mod_event_socket's or grows beyond its bounds: then nothing after it can be trusted. */
export type FrameReader = (chunk: Buffer) => Frame[]

const mostHeaderBytes = 64 * 1024
/** `show channels as json` of a full switch stays far below. */
const mostBodyBytes = 64 * 1024 * 1024

/** A reader for one connection's stream, whatever chunks it comes in. */
export function createFrameReader(): FrameReader {
  let pending: Buffer[] = []
  let size = 0
  let headers: ReadonlyMap<string, string> | null = null

  const join = (): Buffer => {
    const [first] = pending
    const joined = pending.length === 1 && first !== undefined ? first : Buffer.concat(pending)
    pending = [joined]
    return joined
  }
  const take = (length: number): Buffer => {
    const bytes = join()
    pending = [bytes.subarray(length)]
    size -= length
    return bytes.subarray(0, length)
  }
  const next = (): Frame | null => {
    if (headers === null) {
      const end = join().indexOf('\n\n')
      if (end > mostHeaderBytes || (end === -1 && size > mostHeaderBytes))
        throw new Error('Headers too long.')
      if (end === -1) return null
      headers = readHeaders(take(end + 2))
    }
    const length = bodyLength(headers)
    if (size < length) return null
    const frame = { headers, body: take(length) }
    headers = null
    return frame
  }

  return (chunk) => {
    pending.push(chunk)
    size += chunk.length
    const frames: Frame[] = []
    for (let frame = next(); frame !== null; frame = next()) frames.push(frame)
    return frames
  }
}

function readHeaders(bytes: Buffer): ReadonlyMap<string, string> {
  const lines = bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      if (colon < 1) throw new Error(`A header line was expected, not ${JSON.stringify(line.slice(0, 80))}.`)
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
}

function bodyLength(headers: ReadonlyMap<string, string>): number {
  const text = headers.get('content-length') ?? '0'
  if (!/^\d{1,9}$/.test(text) || Number(text) > mostBodyBytes)
    throw new Error(`Content-Length ${JSON.stringify(text.slice(0, 20))} is out of bounds.`)
  return Number(text)
}
