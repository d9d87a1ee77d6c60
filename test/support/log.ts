import { Writable } from 'node:stream'
import { createLog } from '../../src/log.ts'

/** A log of a level: as it was written, and its lines read. */
export function readableLog(level: string) {
  const parts: string[] = []
  const stream = new Writable({
    write: (chunk, _, done) => {
      parts.push(String(chunk))
      done()
    },
  })
  return {
    log: createLog(level, stream),
    written: () => parts.join(),
    lines: () => parts.map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}
