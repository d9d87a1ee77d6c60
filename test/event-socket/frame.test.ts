import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFrameReader, type Frame } from '../../src/event-socket/frame.ts'

const header = fc.tuple(
  fc.stringMatching(/^[A-Za-z][A-Za-z-]{0,15}$/),
  fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replace(/[\r\n]/g, '').trim()),
)
const frame = fc.record({
  headers: fc.array(header, { minLength: 1, maxLength: 4 }),
  body: fc.option(fc.uint8Array({ minLength: 1, maxLength: 200 })),
})

function print({ headers, body }: { headers: [string, string][]; body: Uint8Array | null }): Buffer {
  const plain = headers.filter(([name]) => name.toLowerCase() !== 'content-length')
  const length = body === null ? [] : [['Content-Length', String(body.length)]]
  const lines = [['Content-Type', 'test'], ...plain, ...length].map(([name, value]) => `${name}: ${value}\n`)
  return Buffer.concat([Buffer.from(`${lines.join('')}\n`), body ?? Buffer.alloc(0)])
}

const seen = (frames: Frame[]) => frames.map(({ headers, body }) => [[...headers], body.toString('hex')])

function cut(stream: Buffer, points: readonly number[]): Buffer[] {
  const ends = [...new Set([...points.map((point) => point % (stream.length + 1)), stream.length])]
  const sorted = ends.sort((a, b) => a - b)
  return sorted.map((end, index) => stream.subarray(sorted[index - 1] ?? 0, end))
}

test('any chunking of any stream gives the same frames', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 6 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      (frames, points) => {
        const stream = Buffer.concat(frames.map(print))
        const whole = createFrameReader()(stream)
        const read = createFrameReader()
        const inParts = cut(stream, points).flatMap((part) => read(part))
        expect(whole).toHaveLength(frames.length)
        expect(whole.map(({ body }) => Buffer.from(body))).toEqual(
          frames.map(({ body }) => Buffer.from(body ?? [])),
        )
        expect(seen(inParts)).toEqual(seen(whole))
      },
    ),
  )
})

test('byte by byte', () => {
  const stream = Buffer.from(
    'Content-Type: api/response\nContent-Length: 4\n\na\n\nbContent-Type: auth/request\n\n',
  )
  const read = createFrameReader()
  const frames = [...stream].flatMap((byte) => read(Buffer.from([byte])))
  expect(seen(frames)).toEqual([
    [
      [
        ['content-type', 'api/response'],
        ['content-length', '4'],
      ],
      Buffer.from('a\n\nb').toString('hex'),
    ],
    [[['content-type', 'auth/request']], ''],
  ])
})

test.each([
  ['Content-Length: 1000000000\n\n'],
  ['Content-Length: 70000000\n\n'],
  ['Content-Length: -1\n\n'],
  ['Content-Length: 1e3\n\n'],
  ['no colon\n\n'],
  [`X: ${'a'.repeat(70_000)}`],
  [`X: ${'a'.repeat(70_000)}\n\n`],
])('%s is refused', (text) => {
  expect(() => createFrameReader()(Buffer.from(text))).toThrow()
})
