import { createServer, type Server } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { guardFor, isPublicAddress, newGuard } from '../../src/webhooks/guard.ts'
import { askWithGuard } from '../../src/webhooks/request.ts'
import { toWebhookUrl } from '../../src/webhooks/webhook.ts'
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

describe('addresses in all their spellings', () => {
  test.each([
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
  ])('%s', async (origin) => {
    const url = new URL(origin)
    url.port = String(port)
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
