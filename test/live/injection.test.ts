import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbedded, rows } from '../../src/db/connect.ts'
import { readTwiml } from '../../src/twiml/read-twiml.ts'
import { hostileDocuments, hostileStructures, hostileTexts, spread } from '../twiml/hostile.ts'
import { assignNumber, type Resource } from './support/carrier.ts'
import { until } from './support/programs.ts'
import { openRawPhone, type RawEnd, type RawPhone } from './support/raw-phone.ts'
import { ack, final, hangUp, invite, pause } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

// Texts of customers and callers that try to get into FreeSWITCH. Each would leave a file in the folder that all programs
// run in, if any interpreter got to see it; a marker tells documents from callers in what the switch writes down. Its log
// has each application that it runs with its data, and the record of each call all of its variables.

const world = useWorld({ FREESWITCH_LOG_LEVEL: 'debug' })
const [inDocuments, inCallers, inOrders] = ['cana7documents', 'cana7callers', 'cana7orders']
const voice = '14155551234'
const dial = '14155551235'
let customer: Server
let base = ''
let caller: RawPhone
let account: Resource
const answers = new Map<string, (response: ServerResponse) => void>()
const asked: { path: string; params: Record<string, string> }[] = []

const twiml = (document: string | Buffer) => (response: ServerResponse) =>
  response.writeHead(200, { 'Content-Type': 'text/xml' }).end(document)

// Asked by a call from 1900 and six digits, the customer answers what is meant for these.
function answer(path: string, params: Record<string, string>, response: ServerResponse) {
  asked.push({ path, params })
  const [, number = ''] = /(\d{6})$/.exec(params.From ?? '') ?? []
  const own = path === '/voice' ? answers.get(number) : undefined
  if (own !== undefined) own(response)
  else twiml('<Response><Hangup/></Response>')(response)
}

beforeAll(async () => {
  customer = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://customer')
      const params = Object.fromEntries([...searchParams, ...new URLSearchParams(body)])
      answer(pathname, params, response)
    })
  })
  await new Promise<void>((resolve) => customer.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(customer.address() as AddressInfo).port}`
  caller = await openRawPhone('127.0.0.2', world.freeswitch.sip)
  await world.carrier.create('sip_trunks', {
    ...{ name: 'Provider', authentication_mode: 'ip_address', region: 'hydrogen', inbound_country: 'US' },
    ...{ inbound_source_ips: ['127.0.0.2'], outbound_host: caller.address },
  })
  account = (await assignNumber(world.carrier, `+${voice}`, { voice_url: `${base}/voice` })).account
  await assignNumber(world.carrier, `+${dial}`, { voice_url: `${base}/dial` })
})
afterAll(() => {
  caller.close()
  customer.closeAllConnections()
  customer.close()
})

const canaries = () =>
  [inDocuments, inCallers, inOrders, 'pwned'].flatMap((name) =>
    [world.folder, join(world.folder, 'switch'), '/', '/tmp'].filter((folder) =>
      existsSync(join(folder, name)),
    ),
  )
const switchLog = () =>
  readdirSync(world.freeswitch.logs)
    .filter((name) => name.startsWith('freeswitch.log'))
    .flatMap((name) => readFileSync(join(world.freeswitch.logs, name), 'utf8').split('\n'))

/** Does things, so many at a time. */
async function inParallel<Item, Result>(
  items: readonly Item[],
  most: number,
  act: (item: Item) => Promise<Result>,
) {
  const results: Result[] = []
  const left = [...items.entries()]
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      results[next[0]] = await act(next[1])
  }
  await Promise.all(Array.from({ length: most }, worker))
  return results
}

let numbers = 0
async function callWith(respond: (response: ServerResponse) => void, talkMs = 1500) {
  const number = String(++numbers).padStart(6, '0')
  answers.set(number, respond)
  const end = await caller.call({
    ...{ number: voice, from: `<sip:19000${number}@${caller.address}>`, talkMs },
  })
  return { from: `+19000${number}`, end }
}

async function allIsWell() {
  await until('all channels are gone', async () =>
    JSON.parse(await world.freeswitch.api('show channels as json')).row_count === 0 ? true : undefined,
  )
  expect(await callWith(twiml('<Response><Pause length="1"/><Hangup/></Response>'), 5000)).toMatchObject({
    end: { status: 200, by: 'switch' },
  })
  expect(canaries()).toEqual([])
}

describe('documents', () => {
  // Names of the corpus that would have to be looked up in the internet stand for our own servers.
  const local = (document: string) =>
    document
      .replaceAll('alice@example.com', `alice@${caller.address}`)
      .replaceAll('https://media.example.com', base)

  test('500 hostile documents: each runs, or is refused with verb and line', async () => {
    const documents = [...spread(hostileDocuments(inDocuments), 300), ...hostileStructures(inDocuments)].map(
      ({ name, document }) => ({ name, document: local(document) }),
    )
    expect(documents.length).toBeGreaterThan(450)
    const started = Date.now()
    const calls = await inParallel(documents, 60, async ({ name, document }) => ({
      ...{ name, document },
      ...(await callWith(twiml(document))),
    }))
    const logs = await problemsByCaller()
    const wrong = calls.flatMap(({ name, document, from, end }) => {
      const expected = expectedOf(document)
      const problem = logs.get(from)
      const right = expected === null ? problem === undefined : problem?.endsWith(expected)
      return right && isEnd(end) ? [] : [{ name, end, expected, problem }]
    })
    expect(wrong).toEqual([])
    console.log(`${calls.length} hostile documents in ${Math.round((Date.now() - started) / 1000)} s.`)
    await allIsWell()
    expect(executed(inDocuments)).toEqual([])
    expect(caller.invites.filter((text) => /^X-Evil|^\s*Route|loopback|evil/im.test(text))).toEqual([])
  }, 150_000)

  const isEnd = ({ status }: RawEnd) => status === 200 || status === 486 || status === 603 || status === 480

  // What the reader says of a document of that size; null when it runs.
  function expectedOf(document: string): string | null {
    if (Buffer.byteLength(document) > 65536) return 'answered more than 65536 bytes.'
    const read = readTwiml(Buffer.from(document).toString(), `${base}/voice`)
    return read.ok ? null : `Line ${read.problem.line}: ${read.problem.message}`
  }

  test('answers that are none', async () => {
    const head = { 'Content-Type': 'text/xml' }
    const hostile: [name: string, problem: string | null, respond: (response: ServerResponse) => void][] = [
      ['10 MB', 'more than 65536 bytes.', twiml(Buffer.alloc(10_000_000, '<'))],
      [
        'a gzip bomb',
        'Content-Encoding gzip, which was not asked for.',
        (response) =>
          response
            .writeHead(200, { ...head, 'Content-Encoding': 'gzip' })
            .end(gzipSync(Buffer.alloc(20_000_000))),
      ],
      [
        'an unknown character set',
        'a character set that is not known.',
        (response) =>
          response.writeHead(200, { 'Content-Type': 'text/xml; charset=${x}' }).end('<Response/>'),
      ],
      ['nothing at all', 'closed the connection.', (response) => response.destroy()],
      ['a status of its own', 'answered 999.', (response) => response.writeHead(999).end()],
      [
        'a redirect to a file',
        'redirected to file:.',
        (response) => response.writeHead(302, { Location: 'file:///etc/passwd' }).end(),
      ],
      [
        'text that is spoken',
        null,
        (response) =>
          response.writeHead(200, { 'Content-Type': 'text/plain' }).end(`\${system(touch ${inDocuments})}`),
      ],
      ['headers', null, (response) => twiml('<Response/>')(withHostileHeaders(response))],
      [
        'a body without end',
        'did not answer in time.',
        (response) => drip(response.writeHead(200, head), '<'),
      ],
    ]
    const calls = await Promise.all(
      hostile.map(async ([name, problem, respond]) => ({
        ...{ name, problem },
        ...(await callWith(respond, name === 'a body without end' ? 22_000 : 1500)),
      })),
    )
    const logs = await problemsByCaller()
    expect(calls.map(({ name, from, end }) => [name, end.status, logs.get(from)])).toEqual(
      calls.map(({ name, problem }) => [
        name,
        200,
        problem === null
          ? undefined
          : expect.stringMatching(new RegExp(`${problem.replaceAll('.', '\\.')}$`)),
      ]),
    )
    await allIsWell()
    expect(executed(inDocuments)).toEqual([])
  }, 60_000)

  function withHostileHeaders(response: ServerResponse) {
    for (const [index, text] of hostileTexts(inDocuments).entries())
      if (index < 40) response.setHeader(`X-H${index}`, text.replace(/[^\x20-\x7e]/g, ' '))
    return response
  }

  function drip(response: ServerResponse, text: string) {
    const timer = setInterval(() => response.write(text), 50)
    response.on('close', () => clearInterval(timer))
  }

  test('what is spoken is heard', async () => {
    const texts = [
      '${system(touch pwned)}',
      '$${system touch pwned} $${switch_password}',
      String.raw`it\'s &lt;X-PRE-PROCESS cmd="exec" data="touch pwned"/&gt;`,
      `'/&gt;&lt;action application="system" data="touch pwned"/&gt;`,
      '"; touch pwned; $(touch pwned) `touch pwned` | touch pwned',
      '-w pwned',
    ]
    const heard = await Promise.all(
      texts.map(async (text, index) => {
        answers.set(`99999${index}`, twiml(`<Response><Say>${text}</Say><Pause length="20"/></Response>`))
        const ear = await world.ear('127.0.0.2')
        const sipp = await world.sipp({
          steps: [
            invite({ ear, caller: `1900099999${index}` }),
            ...final(200),
            ack(),
            pause(2500),
            ...hangUp(),
          ],
          ...{ from: '127.0.0.2', number: voice },
        })
        expect(await sipp.result()).toBe(0)
        return ear.heardMs()
      }),
    )
    for (const ms of heard) expect(ms).toBeGreaterThan(200)
    await allIsWell()
  })
})

describe('callers', () => {
  // One line each: what stands after a line break is a header of its own.
  const texts = hostileTexts(inCallers).map((text) => text.replace(/[\r\n\0]+/g, ' '))
  const places: Record<string, (text: string) => Partial<Parameters<RawPhone['call']>[0]>> = {
    'From user': (text) => ({ from: `<sip:${text}@${caller.address}>` }),
    'From user, escaped': (text) => ({ from: `<sip:${encodeURIComponent(text)}@${caller.address}>` }),
    'From name': (text) => ({ from: `"${text}" <sip:19175550001@${caller.address}>` }),
    'From name, escaped': (text) => ({
      from: `"${text.replace(/["\\]/g, '\\$&')}" <sip:19175550001@${caller.address}>`,
    }),
    'From host': (text) => ({ from: `<sip:19175550001@${text}>` }),
    'To user': (text) => ({ to: `<sip:${text}@${world.freeswitch.sip}>` }),
    'request user': (text) => ({ number: text }),
    'request user, escaped': (text) => ({ number: encodeURIComponent(text) }),
    'request parameters': (text) => ({ number: `${dial};${text}` }),
    'Call-ID': (text) => ({ callId: `${Math.random()}${text}` }),
    ...headers(
      'User-Agent X-Evil Subject P-Asserted-Identity Remote-Party-ID Diversion Privacy Replaces Referred-By ' +
        'Alert-Info Call-Info Identity Authorization Proxy-Authorization X-FS-Support Session-Expires Supported ' +
        'Require Allow Max-Forwards',
    ),
  }

  function headers(names: string) {
    return Object.fromEntries(
      names.split(' ').map((name) => [name, (text: string) => ({ headers: [`${name}: ${text}`] })]),
    )
  }

  test('600 hostile callers, whose call rings another phone: no message has their words where they do not belong', async () => {
    const before = caller.invites.length
    const all = Object.entries(places).flatMap(([name, make]) =>
      texts.map((text) => ({ name, ...make(text) })),
    )
    answers.clear()
    dialTo(`<Dial><Sip>sip:alice@${caller.address}</Sip></Dial>`)
    const byFrom = all.filter(({ name }) => name.startsWith('From '))
    const ends = await inParallel([...byFrom, ...spread(all, 200)], 50, ({ name: _, ...call }) =>
      caller.call({ number: dial, ...call }),
    )
    await allIsWell()
    const legs = caller.invites.slice(before)
    // Most can be read and ring; of some the switch itself wants nothing to do.
    expect(ends.filter(({ status }) => status === 200).length).toBeGreaterThan(150)
    expect(ends.filter(({ status }) => status === 'silence').length).toBeLessThan(150)
    expect(legs.length).toBeGreaterThan(150)
    for (const text of legs) {
      const names = [...(text.split('\r\n\r\n')[0]?.matchAll(/^([^\s:]+):/gm) ?? [])].map(([, name]) => name)
      expect(names.filter((name) => /^X-(?!FS-)|^Subject|^Alert|^Evil/i.test(name ?? ''))).toEqual([])
      expect(text).toMatch(new RegExp(`^INVITE sip:alice@${caller.address} SIP/2.0\r\n`))
      expect(text).toMatch(/^From: <sip:([^\s@<>"]*@)?127\.0\.0\.1(:\d+)?>;tag=\w+\r$/m)
    }
    expect(
      asked.filter(({ params }) => JSON.stringify(params).includes(world.server.switchPassword)),
    ).toEqual([])
  }, 120_000)

  test('keys that are none', async () => {
    dialTo('<Gather action="/digits" timeout="2" numDigits="20"><Pause length="9"/></Gather>')
    const bodies = spread(texts, 30).flatMap((text) => [
      { type: 'application/dtmf-relay', body: `Signal=${text}\r\nDuration=100\r\n` },
      { type: 'application/dtmf', body: text },
      { type: `text/${text.slice(0, 20)}`, body: text },
      { type: 'freeswitch/data', body: text },
      { type: 'message/sipfrag', body: text },
    ])
    const ends = await inParallel(bodies, 50, (info) =>
      caller.call({ number: dial, infos: [info, { type: 'application/dtmf-relay', body: 'Signal=5\r\n' }] }),
    )
    expect(ends.filter(({ status }) => status !== 200)).toEqual([])
    await allIsWell()
    const digits = asked.filter(({ path }) => path === '/digits').map(({ params }) => params.Digits ?? '')
    for (const keys of digits) expect(keys).toMatch(/^[0-9*#A-D]*$/)
  }, 60_000)

  // The number that rings another phone has a webhook of its own, which does not ask who calls.
  function dialTo(verbs: string) {
    customer.removeAllListeners('request')
    customer.on('request', (request, response) => {
      let body = ''
      request.on('data', (part) => {
        body += part
      })
      request.on('end', () => {
        const { pathname } = new URL(request.url ?? '/', 'http://customer')
        const params = Object.fromEntries(new URLSearchParams(body))
        if (pathname !== '/dial') return answer(pathname, params, response)
        asked.push({ path: pathname, params })
        twiml(`<Response>${verbs}</Response>`)(response)
      })
    })
  }
})

test('orders of the Twilio API: refused in words, or placed without harm', async () => {
  const sid = String(account.attributes.sid)
  const authorization = `Basic ${Buffer.from(`${sid}:${account.attributes.auth_token}`).toString('base64')}`
  const order = async (fields: Record<string, string>) => {
    const response = await fetch(`${world.server.publicUrl}/2010-04-01/Accounts/${sid}/Calls.json`, {
      ...{ method: 'POST', headers: { authorization } },
      body: new URLSearchParams({
        ...{ To: '+14155550007', From: `+${voice}`, Twiml: '<Response><Hangup/></Response>', Timeout: '5' },
        ...fields,
      }),
    })
    expect((await response.text()).includes(world.server.switchPassword)).toBe(false)
    return response.status
  }
  const texts = hostileTexts(inOrders)
  const orders: Record<string, string>[] = [
    ...texts.flatMap((text) => [{ To: text }, { To: `sip:${text}@${caller.address}` }, { From: text }]),
    ...texts.flatMap((text) => [{ SendDigits: text }, { SendDigits: `ww1${text}` }]),
    ...texts.flatMap((text) => [
      { Url: text, Twiml: '' },
      { Url: `${base}/x?${text}`, Twiml: '' },
    ]),
    ...texts.flatMap((text) => [{ Method: text }, { StatusCallback: text }, { StatusCallbackEvent: text }]),
    ...texts.flatMap((text) => [{ Timeout: text }, { CallerId: text }, { Record: text }, { Trim: text }]),
    ...spread(hostileDocuments(inOrders), 60).map(({ document }) => ({ Twiml: document })),
    ...spread(hostileStructures(inOrders), 30).map(({ document }) => ({ Twiml: document })),
  ]
  const statuses = await inParallel(spread(orders, 450), 20, order)
  expect([...new Set(statuses)].sort()).toEqual([201, 400])
  const placed = statuses.filter((status) => status === 201).length
  console.log(`${statuses.length} hostile orders: ${placed} placed, ${statuses.length - placed} refused.`)
  expect(placed).toBeGreaterThan(40)
  await until(
    'all orders are done',
    async () => {
      const open = await world.carrier.list(
        'phone_calls',
        '?filter[status]=queued,initiated,ringing,in-progress',
      )
      return open.length === 0 ? true : undefined
    },
    60_000,
  )
  await allIsWell()
  expect(executed(inOrders)).toEqual([])
}, 120_000)

test('FreeSWITCH has no command and no application of the operating system', async () => {
  const { freeswitch } = world
  expect(await freeswitch.api('system touch pwned')).toMatch(/^-ERR/)
  const has = `${await freeswitch.api('show api')}\n${await freeswitch.api('show application')}`
  expect(has).toMatch(/^playback,/m)
  expect(has).not.toMatch(/^(bg_?)?(system|spawn|spawn_stream|lua|python|perl|curl),/m)
})

test('nothing of it stands in the records of the calls, nor any secret', async () => {
  const { folder, server, freeswitch } = world
  await server.stop()
  const secrets = [server.switchPassword, server.operatorToken]
  const log = switchLog()
  for (const secret of secrets) expect(log.filter((line) => line.includes(secret))).toEqual([])
  const { db, close } = await openEmbedded(join(folder, 'server-data', 'postgres'))
  const records = await rows<{ record: { variables: Record<string, string> } }>(
    db,
    sql`SELECT record FROM cdrs`,
  )
  const told = await rows<{ text: string }>(
    db,
    sql`SELECT row_to_json(t)::text AS text FROM error_logs t UNION ALL SELECT row_to_json(t)::text FROM phone_calls t`,
  )
  await close()
  expect(records.length).toBeGreaterThan(800)
  for (const { record } of records) {
    for (const secret of secrets) expect(JSON.stringify(record)).not.toContain(secret)
    const variables = Object.entries(record.variables)
    expect(variables.filter(([name]) => name.includes('cana7'))).toEqual([])
    expect(
      variables.filter(([name, value]) => value.includes(inDocuments) && !isHeader(name, value)),
    ).toEqual([])
  }
  for (const { text } of told) for (const secret of secrets) expect(text).not.toContain(secret)
  expect(
    freeswitch.complaints().filter((line) => /system|exec|Invalid character sequence/i.test(line)),
  ).toEqual([])
  expect(canaries()).toEqual([])
})

const checkedValue = /sip_h_X-[A-Za-z0-9-]+=[A-Za-z0-9 _.+@:/-]*/g
const isHeader = (name: string, value: string) =>
  name.startsWith('sip_h_X-') || !value.replace(checkedValue, '').includes(inDocuments)

// The applications that the switch has run with a marker in their data, but for the checked values of custom headers.
function executed(marker: string): string[] {
  return switchLog()
    .filter((line) => line.includes(marker) && !line.includes(`uri=`))
    .map((line) => line.replace(checkedValue, ''))
    .filter((line) => line.includes(marker))
}

/** What was wrong with the webhook of each call from 1900…, by caller. */
async function problemsByCaller(): Promise<Map<string, string>> {
  const callers = new Map<string, string>()
  for (const call of await everything('phone_calls')) callers.set(call.id, String(call.attributes.from))
  const failed = await everything('webhook_requests?filter[state]=failed')
  return new Map(
    failed.map((request) => {
      const { data } = (request as unknown as Linked).relationships.phone_call
      return [callers.get(data?.id ?? '') ?? '', String(request.attributes.problem)]
    }),
  )
}

type Linked = { relationships: { phone_call: { data: { id: string } | null } } }

async function everything(list: string): Promise<Resource[]> {
  const all: Resource[] = []
  let url: string | null =
    `${world.server.publicUrl}/carrier/v1/${list}${list.includes('?') ? '&' : '?'}page[size]=100`
  while (url !== null) {
    const response: Response = await fetch(url, {
      headers: { authorization: `Bearer ${world.carrier.token}` },
    })
    const page = (await response.json()) as { data: Resource[]; links: { next: string | null } }
    all.push(...page.data)
    url =
      page.links.next === null ? null : page.links.next.replace(/^https?:\/\/[^/]+/, world.server.publicUrl)
  }
  return all
}
