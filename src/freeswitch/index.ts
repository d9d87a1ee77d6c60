import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { keepUpload } from '../calls/recordings.ts'
import { receiveCdr } from '../channels/finish.ts'
import { receive } from '../inbound/receive.ts'
import type { FetchResult } from '../metrics.ts'
import type { Platform } from '../platform.ts'
import { nextPart } from '../steps/next-part.ts'
import { audio } from './audio.ts'
import { readCdr } from './cdr.ts'
import { directoryDocument } from './directory.ts'
import { dialplanDocument, notFoundDocument } from './document.ts'
import { readForm } from './form.ts'
import { sofiaDocument } from './sofia-conf.ts'
import { type DialplanFetch, readFetch, type XmlFetch } from './xml-fetch.ts'

/** The switch listener's door: what FreeSWITCH asks and reports by HTTP (contract section 6). The listener asks for the
 * password (app.ts). */
export function freeswitch(platform: Platform): Hono {
  const door = new Hono()
  // When we cannot answer, FreeSWITCH is to ask the next binding: any status but 200 makes it do so, while "not found"
  // would be taken for an answer (freeswitch.md 1.4).
  door.onError((error, c) => {
    platform.log.error({ err: error }, 'A request of the switch could not be answered')
    return c.text('The request could not be answered now.\n', 503)
  })
  door.post('/xml', limit(1024 * 1024), async (c) => {
    const form = readForm(await c.req.text())
    if ('problem' in form) return refuse(c, platform, form.problem)
    const fetch = readFetch(form)
    if ('problem' in fetch) return refuse(c, platform, fetch.problem)
    return send(c, await measured(platform, fetch, inTime(answer(platform, fetch))))
  })
  door.post('/cdr', limit(4 * 1024 * 1024), async (c) => {
    const cdr = readCdr(await c.req.text())
    if ('problem' in cdr) return c.text(`${cdr.problem}\n`, 400)
    await receiveCdr(platform, cdr)
    return c.text('Stored.\n')
  })
  door.get('/audio/:file', (c) => audio(platform, c.req.param('file')))
  door.put('/recordings/:file', async (c) => {
    const key = /^([A-Za-z0-9]{32})\.wav$/.exec(c.req.param('file'))?.[1]
    const body = c.req.raw.body
    const problem =
      key && body
        ? await keepUpload(platform, key, body)
        : { problem: 'Expected a WAV file for a recording.' }
    return problem === null ? c.text('Stored.\n', 201) : c.text(`${problem.problem}\n`, 404)
  })
  return door
}

const limit = (maxSize: number) =>
  bodyLimit({ maxSize, onError: (c) => c.text(`The body is over ${maxSize} bytes.\n`, 413) })

async function answer(platform: Platform, fetch: XmlFetch): Promise<Document> {
  switch (fetch.kind) {
    case 'sofia':
      return sofiaDocument(platform, fetch)
    case 'digest':
      return directoryDocument(platform, fetch)
    case 'dialplan':
      return dialplan(platform, fetch)
    case 'other':
      return notFoundDocument
  }
}

async function dialplan(platform: Platform, fetch: DialplanFetch): Promise<string> {
  const actions =
    fetch.context === 'inbound' ? await receive(platform, fetch) : await nextPart(platform, fetch)
  return actions === null ? notFoundDocument : dialplanDocument(fetch.context, actions)
}

// FreeSWITCH's own limit for a dialplan fetch is 4 s (freeswitch-conf), and it asks nobody else before that.
const mostMilliseconds = 3500

async function inTime<Value>(answering: Promise<Value>): Promise<Value> {
  const late = AbortSignal.timeout(mostMilliseconds)
  return Promise.race([
    answering,
    new Promise<never>((_, reject) =>
      late.addEventListener('abort', () => reject(new Error('No answer in time.'))),
    ),
  ])
}

function refuse(c: Context, { metrics }: Platform, problem: string): Response {
  metrics.fetched('unknown', 'refused', 0)
  return c.text(`${problem}\n`, 400)
}

type Document = string | AsyncIterable<string>

async function measured(
  platform: Platform,
  fetch: XmlFetch,
  answering: Promise<Document>,
): Promise<Document> {
  const started = performance.now()
  const count = (result: FetchResult) =>
    platform.metrics.fetched(sections[fetch.kind], result, performance.now() - started)
  try {
    const document = await answering
    if (typeof document !== 'string') return counted(platform, document, count)
    count(document === notFoundDocument ? 'not_found' : 'answered')
    return document
  } catch (error) {
    count('failed')
    throw error
  }
}

// The status has gone out long before the last piece: nobody else would tell of a document that broke off.
async function* counted(
  { log }: Platform,
  pieces: AsyncIterable<string>,
  count: (result: FetchResult) => void,
): AsyncIterable<string> {
  let result: FetchResult = 'failed'
  try {
    yield* pieces
    result = 'answered'
  } catch (err) {
    log.error({ err }, 'A document for the switch broke off')
    throw err
  } finally {
    count(result)
  }
}

const sections: Record<XmlFetch['kind'], string> = {
  sofia: 'configuration',
  digest: 'directory',
  dialplan: 'dialplan',
  other: 'other',
}

function send(c: Context, document: Document): Response {
  c.header('Content-Type', 'text/xml; charset=utf-8')
  return c.body(typeof document === 'string' ? document : toStream(document))
}

function toStream(pieces: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const iterator = pieces[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    // The switch has gone away.
    cancel: async () => {
      await iterator.return?.()
    },
  })
}
