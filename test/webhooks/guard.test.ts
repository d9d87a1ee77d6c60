import { randomUUID } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { download } from '../../src/audio/download.ts'
import { statusCallbacks } from '../../src/db/schema.ts'
import { askNameservers, guardFor, isPublicAddress, newGuard } from '../../src/webhooks/guard.ts'
import { askWithGuard } from '../../src/webhooks/request.ts'
import { deliverDueCallbacks, enqueueCallback } from '../../src/webhooks/status-callback.ts'
import { toWebhookUrl } from '../../src/webhooks/webhook.ts'
import { createTestPlatform } from '../support/platform.ts'
import { createTenant } from '../support/rows.ts'
import { startServer } from './server.ts'

// One server on every loopback address: whatever reaches it has left where it should not.
let server: Server
let port = 0
let connections = 0
beforeAll(async () => {
  server = createServer((_, response) => response.end('<Response/>')).on('connection', () => {
    connections++
  })
  await new Promise<void>((resolve) => server.listen(0, '::', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

const resolving = (...addresses: string[]) => newGuard(isPublicAddress, async () => addresses)
const strict = guardFor({ WEBHOOK_ALLOW_PRIVATE: false })
const ask = (url: string, guard = strict) =>
  askWithGuard(guard, {
    ...{ url, method: 'POST', params: { CallSid: 'CA1' }, authToken: 't' },
    read: (usable) => ({ usable }),
  })

async function expectNoConnection(url: string, guard = strict) {
  const before = connections
  const answer = await ask(url, guard)
  expect(answer).toMatchObject({
    kind: 'failed',
    failures: [{ problem: expect.stringMatching(/is not a public address\.$/) }],
  })
  expect(connections).toBe(before)
}

const loopback = [
  'http://127.0.0.1',
  'http://127.1',
  'http://127.0.1',
  'http://2130706433',
  'http://0x7f000001',
  'http://0x7f.0.0.1',
  'http://0x7f.1',
  'http://017700000001',
  'http://0177.0.0.1',
  'http://0177.0.0x1',
  'http://127.255.255.254',
  'http://①②⑦.⓪.⓪.①',
  'http://127。0。0。1',
  'http://127.0.0.1.',
  'http://0.0.0.0',
  'http://0',
  'http://localhost',
  'http://LOCALHOST',
  'http://[::1]',
  'http://[0:0:0:0:0:0:0:1]',
  'http://[::]',
  'http://[::ffff:127.0.0.1]',
  'http://[::ffff:7f00:1]',
  'http://[0:0:0:0:0:ffff:7f00:0001]',
  'http://[::127.0.0.1]',
  'http://[64:ff9b::127.0.0.1]',
  'http://[64:ff9b::7f00:1]',
  'http://[64:ff9b:1::7f00:1]',
  'http://[2002:7f00:1::]',
  'http://[2001:0:7f00:1::]',
  'http://user:password@127.0.0.1',
  'http://example.com@127.0.0.1',
  'http://127.0.0.1%2f@127.0.0.1',
  'http://%31%32%37%2e%30%2e%30%2e%31',
  'http://127.0.0.1:0',
  'http://127。0.0.1',
  'http://127%E3%80%820.0.1',
  'http://[::ffff:0:7f00:1]',
  'http://[::ffff:0:127.0.0.1]',
  'http://[64:ff9b:1:0:7f00:0:100::]',
]

describe('addresses in all their spellings', () => {
  test.each(loopback)('%s', async (origin) => {
    const url = new URL(origin)
    if (!origin.endsWith(':0')) url.port = String(port)
    await expectNoConnection(url.href)
  })

  test.each([
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '100.127.255.255',
    '169.254.169.254',
    '169.254.0.1',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '[fe80::1]',
    '[fec0::1]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[ff02::1]',
    '[2001:db8::1]',
    '[2001::1]',
    '[100::1]',
    '[4000::1]',
    '[::a9fe:a9fe]',
    '[::ffff:169.254.169.254]',
    '[64:ff9b::a9fe:a9fe]',
    '[2002:a9fe:a9fe::]',
  ])('%s is refused before anything is sent', async (host) => {
    await expectNoConnection(`http://${host}/latest/meta-data`)
    await expectNoConnection(`https://${host}/latest/meta-data`)
  })
})

describe('names', () => {
  test.each([
    [['127.0.0.1']],
    [['::1']],
    [['10.0.0.1']],
    [['169.254.169.254']],
    [['::ffff:127.0.0.1']],
    [['93.184.216.34', '127.0.0.1']],
    [['127.0.0.1', '93.184.216.34']],
    [['2606:2800:220:1::1', 'fe80::1']],
    [[]],
  ])('one that resolves to %j', async (addresses) => {
    await expectNoConnection(`http://customer.example:${port}/`, resolving(...addresses))
  })

  test('a resolver that changes its mind is asked once a connection, and what it said then is what counts', async () => {
    const answers = ['93.184.216.34', '127.0.0.1']
    const asked: string[] = []
    const guard = newGuard(isPublicAddress, async (host) => {
      asked.push(host)
      return [answers[(asked.length - 1) % 2] ?? '']
    })
    // The first connection may only go to the public address, where nothing answers; the retry is refused.
    const before = connections
    const answer = await ask(`http://rebinding.example:${port}/`, guard)
    expect(answer.kind).toBe('failed')
    expect(connections).toBe(before)
    expect(asked.length).toBeLessThanOrEqual(2)
  }, 15_000)

  test('the connection goes to the address that was checked', async () => {
    const asked: string[] = []
    const guard = newGuard(
      () => true,
      async (host) => {
        asked.push(host)
        return ['127.0.0.1']
      },
    )
    const answer = await ask(`http://customer.example:${port}/`, guard)
    expect(answer).toMatchObject({ kind: 'answered' })
    expect(asked).toEqual(['customer.example'])
  })
})

describe('a nameserver that does not answer', () => {
  // Answers for 127.0.0.1 to every name but those that begin with `slow`.
  async function startNameserver() {
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    socket.on('message', (query, { port: from }) => {
      if (query.toString('latin1').includes('slow')) return
      const isA = query.readUInt16BE(query.indexOf(0, 12) + 1) === 1
      const question = query.subarray(12, query.indexOf(0, 12) + 5)
      const head = Buffer.from([0, 0, 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0])
      query.copy(head, 0, 0, 2)
      const record = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1])
      socket.send(Buffer.concat([head, question, ...(isA ? [record] : [])]), from, '127.0.0.1')
    })
    return { address: `127.0.0.1:${socket.address().port}`, close: () => socket.close() }
  }

  test('holds up its own names only', async () => {
    const nameserver = await startNameserver()
    const guard = newGuard(() => true, askNameservers([nameserver.address]))
    const slow = Array.from({ length: 100 }, (_, n) => ask(`http://slow${n}.example:${port}/`, guard))
    const started = performance.now()
    expect(await ask(`http://quick.example:${port}/`, guard)).toMatchObject({ kind: 'answered' })
    expect(performance.now() - started).toBeLessThan(1000)
    for (const answer of await Promise.all(slow))
      expect(answer).toMatchObject({
        failures: [{ problem: 'The webhook has a host name that does not resolve just now.', code: 11210 }],
      })
    nameserver.close()
  }, 40_000)
})

describe('a redirect', () => {
  // 127.0.0.2 plays the public internet.
  const guard = newGuard((address) => address === '127.0.0.2')
  const outside = (location: string) =>
    startServer((_, response) => {
      response.writeHead(307, { Location: location }).end()
    }, '127.0.0.2')

  test.each(['127.0.0.1', '2130706433', '[::1]', '[::ffff:127.0.0.1]', 'localhost', 'user@127.0.0.1'])(
    'to %s is not followed',
    async (host) => {
      const server = await outside(`http://${host}:${port}/`)
      await expectNoConnection(server.url, guard)
      expect(server.requests).toHaveLength(1)
      await server.close()
    },
  )
})

// Everything else that a customer can make us ask goes the same way.
describe('whatever a customer can make us ask', () => {
  const urls = () =>
    loopback.map((origin) => {
      const url = new URL('/latest/meta-data', origin)
      url.port = String(port)
      return url.href
    })

  test('a file to play', async () => {
    const before = connections
    for (const url of urls())
      expect(await download(strict, url)).toEqual({
        problem: expect.stringMatching(/is not a public address$/),
      })
    expect(await download(resolving('127.0.0.1'), `http://customer.example:${port}/x.wav`)).toEqual({
      problem: expect.stringMatching(/is not a public address$/),
    })
    expect(connections).toBe(before)
  })

  test('a report of a call or of a recording', async () => {
    const platform = await createTestPlatform({ WEBHOOK_ALLOW_PRIVATE: 'false' })
    const { account } = await createTenant(platform)
    const before = connections
    for (const url of urls())
      await enqueueCallback(platform.db, {
        ...{ orderKey: randomUUID(), accountId: account.id, callId: null },
        ...{ url, method: 'POST', params: {} },
      })
    await deliverDueCallbacks(platform)
    const tried = await platform.db.select().from(statusCallbacks)
    expect(tried.map(({ attempts }) => attempts)).toEqual(loopback.map(() => 1))
    expect(connections).toBe(before)
    await platform.database.close()
  })

  test.each([0, 1, 2, 3, 4])('a redirect after %i others', async (others) => {
    const guard = newGuard((address) => address === '127.0.0.2')
    const server = await startServer((seen, response) => {
      const hop = Number.parseInt(seen.url.slice(1), 10)
      const Location = hop === others ? `http://127.0.0.1:${port}/` : `/${hop + 1}`
      response.writeHead([301, 302, 303, 307, 308][hop] ?? 302, { Location }).end()
    }, '127.0.0.2')
    await expectNoConnection(`${server.url}/0`, guard)
    const before = connections
    expect(await download(guard, `${server.url}/0`)).toHaveProperty('problem')
    expect(connections).toBe(before)
    expect(server.requests).toHaveLength(2 * (others + 1))
    await server.close()
  })
})

describe('URLs that are none of http', () => {
  test.each([
    ['file:///etc/passwd', 'must be an http or https URL'],
    ['ftp://example.com/x', 'must be an http or https URL'],
    ['gopher://127.0.0.1:25/', 'must be an http or https URL'],
    ['data:text/xml,<Response/>', 'must be an http or https URL'],
    ['javascript:alert(1)', 'must be an http or https URL'],
    ['tone_stream://%(1,2,3)', 'must be absolute: the document itself came without a URL'],
    ['http://', 'must be absolute: the document itself came without a URL'],
    ['/relative', 'must be absolute: the document itself came without a URL'],
    [`http://example.com/${'x'.repeat(4000)}`, 'is longer than 4000 characters'],
  ])('%s', (text, problem) => {
    expect(toWebhookUrl(text, null)).toEqual({ problem })
  })

  test.each([
    ['/menu?x=1#frag', 'https://a.example/menu?x=1'],
    ['menu', 'https://a.example/voice/menu'],
    ['//b.example/x', 'https://b.example/x'],
    ['?y=2', 'https://a.example/voice/in?y=2'],
    [' https://c.example ', 'https://c.example/'],
  ])('%s against a document', (text, url) => {
    expect(toWebhookUrl(text, 'https://a.example/voice/in?z=1')).toEqual({ url })
  })
})

describe('laws', () => {
  test('no address that carries another in IPv6 is public', () => {
    const hex = (n: number) => n.toString(16)
    fc.assert(
      fc.property(fc.nat(0xffff), fc.nat(0xffff), (high, low) => {
        const embedded = `${hex(high)}:${hex(low)}`
        for (const address of [
          `::ffff:${embedded}`,
          `64:ff9b::${embedded}`,
          `64:ff9b:1::${embedded}`,
          `2002:${embedded}::1`,
          `2001:0:${embedded}::1`,
          `::${embedded}`,
        ])
          expect(isPublicAddress(address)).toBe(false)
      }),
    )
  })

  test('what is no address is not public', () => {
    const noAddress = fc.string().filter((text) => isIP(text) === 0)
    fc.assert(fc.property(noAddress, (text) => !isPublicAddress(text)))
    for (const text of ['16843009', '0x01010101', '1.1', '01.1.1.1', '1.1.1.1 '])
      expect(isPublicAddress(text)).toBe(false)
  })

  test('public ones are', () => {
    for (const address of ['8.8.8.8', '93.184.216.34', '1.1.1.1', '2606:4700:4700::1111', '2a00:1450::1'])
      expect(isPublicAddress(address)).toBe(true)
  })
})
