import { type AddressInfo, createServer, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import twilio from 'twilio'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { askWebhook, type WebhookRequest } from '../../src/webhooks/request.ts'
import { eventually } from '../support/eventually.ts'
import { type Seen, startServer, xml } from './server.ts'

const opened: { close(): unknown }[] = []
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close()
})
const serve: typeof startServer = async (...given) => {
  const server = await startServer(...given)
  opened.push(server)
  return server
}

const platform = { env: { WEBHOOK_ALLOW_PRIVATE: true } } as Parameters<typeof askWebhook>[0]
const params = { CallSid: 'CA0123', From: '+19175551234', To: '+14155551234', CallStatus: 'ringing' }
const read = (usable: string) => ({ usable })
const ask = (asked: Partial<WebhookRequest<string>> & { url: string }) =>
  askWebhook(platform, { method: 'POST', params, authToken: 'token', read, ...asked })
const signatureIsValid = (seen: Seen, base: string) =>
  twilio.validateRequest(
    'token',
    String(seen.headers['x-twilio-signature']),
    `${base}${seen.url}`,
    seen.params,
  )

describe('what is sent', () => {
  test('a POST has the fields as a form, Twilio’s headers and a signature that the official package accepts', async () => {
    const server = await serve(xml('<Response/>'))
    const answer = await ask({ url: `${server.url}/voice?tenant=7&x=%27a` })
    expect(answer).toMatchObject({
      kind: 'answered',
      status: 200,
      document: '<Response/>',
      finalUrl: `${server.url}/voice?tenant=7&x=%27a`,
    })
    const [seen] = server.requests
    if (!seen) throw new Error('Nothing was asked.')
    expect(seen).toMatchObject({ method: 'POST', url: '/voice?tenant=7&x=%27a', params })
    expect(seen.headers).toMatchObject({
      'user-agent': 'TwilioProxy/1.1',
      accept: 'text/xml, application/xml, text/html',
      'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
    })
    expect(signatureIsValid(seen, server.url)).toBe(true)
    expect(signatureIsValid({ ...seen, params: { ...seen.params, From: '+1' } }, server.url)).toBe(false)
  })

  test('a GET has the fields after those of the URL, and signs the whole URL', async () => {
    const server = await serve(xml('<Response/>'))
    const answer = await ask({ url: `${server.url}/voice?b=2&a=1`, method: 'GET' })
    const [seen] = server.requests
    expect(seen).toMatchObject({
      method: 'GET',
      url: '/voice?b=2&a=1&CallSid=CA0123&From=%2B19175551234&To=%2B14155551234&CallStatus=ringing',
      params: {},
    })
    expect(seen && signatureIsValid(seen, server.url)).toBe(true)
    expect(answer).toMatchObject({ finalUrl: `${server.url}/voice?b=2&a=1` })
  })

  test('user name and password of the URL become Basic credentials, and are not signed', async () => {
    const server = await serve(xml('<Response/>'))
    await ask({ url: server.url.replace('http://', 'http://us%40er:p%3Aw@') })
    const [seen] = server.requests
    expect(seen?.headers.authorization).toBe(`Basic ${Buffer.from('us@er:p:w').toString('base64')}`)
    expect(seen && signatureIsValid(seen, server.url)).toBe(true)
  })

  test.each([
    ['token', 'https://example.com/path?b=2&a=1'],
    ['other', 'http://example.com:8080/a%20b?q=%C3%A9'],
  ])('vectors of the signature (%s)', async (token, url) => {
    const { sign } = await import('../../src/webhooks/signature.ts')
    const fields = { zeta: 'é & ü', Alpha: '', 'a b': '=&' }
    expect(twilio.validateRequest(token, sign(token, new URL(url), fields), url, fields)).toBe(true)
  })

  test('the signature is the one that was computed elsewhere (somleng.md 5.4)', async () => {
    const { sign } = await import('../../src/webhooks/signature.ts')
    const get = new URL('https://example.com/path?b=2&a=1&foo=bar')
    const post = new URL('https://example.com/path?b=2&a=1')
    expect(sign('auth_token', post, { foo: 'bar' })).toBe('7t6LjUM7i1WnBcVcy2LPAY6iTaA=')
    expect(sign('auth_token', get, {})).toBe('ZLo5n7IC/qMl5aT0BO7GS+8SPjY=')
  })
})

describe('what comes back', () => {
  const answering = (type: string | null, body: string | Buffer, status = 200) =>
    serve((_, response) =>
      response.writeHead(status, type === null ? {} : { 'Content-Type': type }).end(body),
    )

  test.each([
    ['text/xml', '<Response/>', '<Response/>'],
    ['application/xml; charset=utf-8', '<Response>é</Response>', '<Response>é</Response>'],
    ['text/html', '<Response/>', '<Response/>'],
    [null, '<Response/>', '<Response/>'],
    ['text/plain', 'Fish & <chips>\u0007', '<Response><Say>Fish &#38; &#60;chips&#62; </Say></Response>'],
    ['text/xml; charset=iso-8859-1', Buffer.from('<a>é</a>', 'latin1'), '<a>é</a>'],
    ['text/xml', Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>', 'latin1'), undefined],
  ])('%s', async (type, body, document) => {
    const server = await answering(type, body)
    expect(await ask({ url: server.url })).toMatchObject({
      kind: 'answered',
      document: document ?? '<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>',
    })
  })

  test('audio is played, whatever its size', async () => {
    const server = await answering('audio/mpeg', Buffer.alloc(300_000))
    expect(await ask({ url: `${server.url}/hi.mp3?a=1&b=2` })).toMatchObject({
      kind: 'answered',
      document: `<Response><Play>${server.url}/hi.mp3?a=1&#38;b=2</Play></Response>`,
    })
  })

  test.each([
    ['application/json', '{}', 200, 'The webhook answered application/json, which is no TwiML.'],
    ['text/xml', '<Response/>', 500, 'The webhook answered 500.'],
    ['text/xml', '<Response/>', 404, 'The webhook answered 404.'],
    ['text/xml', '<Response/>', 304, 'The webhook answered 304.'],
    ['text/xml', 'x'.repeat(64 * 1024 + 1), 200, 'The webhook answered more than 65536 bytes.'],
    [
      'text/xml; charset=nonsense',
      '<Response/>',
      200,
      'The webhook answered in a character set that is not known.',
    ],
  ])('%s, %#', async (type, body, status, problem) => {
    const server = await answering(type, body, status)
    expect(await ask({ url: server.url })).toMatchObject({ kind: 'failed', failures: [{ problem }] })
  })

  test.each(['gzip', 'br', 'deflate, gzip'])('%s is not inflated, whatever is in it', async (encoding) => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, '<'))
    const server = await serve((_, response) =>
      response.writeHead(200, { 'Content-Type': 'text/xml', 'Content-Encoding': encoding }).end(bomb),
    )
    expect(await ask({ url: server.url })).toMatchObject({
      kind: 'failed',
      failures: [
        {
          problem: `The webhook answered with Content-Encoding ${encoding}, which was not asked for.`,
          code: 12300,
        },
      ],
    })
    expect(server.requests[0]?.headers['accept-encoding']).toBeUndefined()
  })

  // What no HTTP library would send.
  const speaking = async (answer: (socket: Socket) => void) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => answer(socket))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    opened.push({
      close: () => {
        server.close()
      },
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  }
  const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n'

  test.each<[string, string, string, number]>([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'could not be asked (HPE_INVALID_CONSTANT)', 11206],
    [
      'headers without end',
      `${head}X-A: ${'a'.repeat(100_000)}`,
      'could not be asked (HPE_HEADER_OVERFLOW)',
      11206,
    ],
    ['a line break in a header', `${head}X-A: a\rb\r\n\r\n`, 'could not be asked (HPE_LF_EXPECTED)', 11206],
    [
      'two lengths',
      `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef`,
      'could not be asked (HPE_UNEXPECTED_CONTENT_LENGTH)',
      11206,
    ],
    [
      '10 MB',
      `${head}Content-Length: 10000000\r\n\r\n${'<'.repeat(200_000)}`,
      'answered more than 65536 bytes',
      11750,
    ],
    [
      '10 MB in chunks',
      `${head}Transfer-Encoding: chunked\r\n\r\n${`1000\r\n${'<'.repeat(4096)}\r\n`.repeat(50)}`,
      'answered more than 65536 bytes',
      11750,
    ],
    ['half an answer', `${head}Content-Length: 100\r\n\r\n<Resp`, 'closed the connection', 11205],
  ])('%s', async (_, sent, problem, code) => {
    const url = await speaking((socket) => socket.end(sent))
    expect(await ask({ url })).toMatchObject({
      kind: 'failed',
      failures: [{ problem: `The webhook ${problem}.`, code }],
    })
  })

  test('what drips for ever ends after 15 s in all, and the connection with it', async () => {
    const dripping: [first: string, drops: string][] = [
      [`${head}\r\n`, '<'],
      [`${head}Content-Length: 60000\r\n\r\n`, '<'],
      [`${head}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n<\r\n'],
      ['HTTP/1.1 200 OK\r\n', 'X-A: a\r\n'],
      ['', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
    ]
    const asked = dripping.map(async ([first, drops]) => {
      let closed = false
      const url = await speaking((socket) => {
        socket.on('close', () => {
          closed = true
        })
        drip(socket, first, drops)
      })
      const answer = await ask({ url })
      await eventually(() => expect(closed).toBe(true))
      return answer
    })
    const started = performance.now()
    for (const answer of await Promise.all(asked))
      expect(answer).toMatchObject({
        kind: 'failed',
        failures: [{ problem: 'The webhook did not answer in time.' }],
      })
    expect(performance.now() - started).toBeLessThan(17_000)
  })

  function drip(socket: Socket, first: string, drops: string) {
    socket.write(first)
    const timer = setInterval(() => socket.write(drops), 100)
    socket.on('close', () => clearInterval(timer))
  }

  test('what PostgreSQL cannot hold is replaced', async () => {
    const server = await answering('text/xml; charset=utf-16le', Buffer.from('<a>\0\ud800</a>', 'utf16le'))
    expect(await ask({ url: server.url })).toMatchObject({ document: '<a>\ufffd\ufffd</a>' })
    const failing = await answering('text/xml', '\0\0', 500)
    expect(await ask({ url: failing.url })).toMatchObject({ failures: [{ excerpt: '\ufffd\ufffd' }] })
  })

  test('what cannot be run is a failure too, and the fallback is asked', async () => {
    const server = await serve(xml('<Nonsense/>'))
    const fallback = await serve(xml('<Response/>'))
    const answer = await ask({
      url: server.url,
      fallback: { url: fallback.url, method: 'GET' },
      read: (document) =>
        document === '<Response/>' ? { usable: document } : { problem: 'Line 1: No TwiML.' },
    })
    expect(answer).toMatchObject({
      kind: 'answered',
      usable: '<Response/>',
      failures: [{ problem: 'Line 1: No TwiML.', code: 12100, status: 200, excerpt: '<Nonsense/>' }],
    })
    expect(fallback.requests[0]?.url).toContain('ErrorCode=12100')
  })

  test('the first bytes of a refusal are told', async () => {
    const server = await answering('text/html', `<h1>Oops</h1>${'x'.repeat(2000)}`, 503)
    const answer = await ask({ url: server.url })
    expect(answer).toMatchObject({
      kind: 'failed',
      failures: [{ status: 503, code: 11200, excerpt: expect.stringMatching(/^<h1>Oops<\/h1>x{487}$/) }],
    })
  })
})

describe('cookies', () => {
  test('those of an answer go to where they are for, along redirects and in the next request', async () => {
    const server = await serve((seen, response) => {
      if (seen.url === '/end') return xml('<Response/>')(seen, response)
      response
        .writeHead(307, { Location: '/end', 'Set-Cookie': ['sid=1; Path=/', 'deep=2; Path=/deep'] })
        .end()
    })
    const other = await serve(xml('<Response/>'), '127.0.0.2')
    const { cookies } = await ask({ url: `${server.url}/start` })
    expect(server.requests.map(({ headers }) => headers.cookie)).toEqual([undefined, 'sid=1'])
    const next = await ask({ url: `${server.url}/deep/end`, cookies })
    expect(server.requests[2]?.headers.cookie).toBe('deep=2; sid=1')
    expect(next.cookies).not.toBeNull()
    await ask({ url: other.url, cookies })
    expect(other.requests[0]?.headers.cookie).toBeUndefined()
  })

  test('nothing set is no change; what is set is bounded', async () => {
    const server = await serve(xml('<Response/>'))
    expect(await ask({ url: server.url })).toMatchObject({ cookies: null })
    const setting = await serve((_, response) => {
      const many = Array.from({ length: 100 }, (_, n) => `c${n}=${'x'.repeat(9)}`)
      response.writeHead(200, { 'Set-Cookie': [`long=${'x'.repeat(5000)}`, ...many] }).end('<Response/>')
    })
    let { cookies } = await ask({ url: setting.url })
    expect(cookies?.cookies).toHaveLength(19)
    for (let round = 0; round < 3; round++)
      ({ cookies } = await ask({ url: `${setting.url}/${round}`, cookies }))
    expect(cookies?.cookies.length).toBeLessThanOrEqual(30)
  })
})

describe('redirects', () => {
  const redirecting = (status: number, location: string) =>
    serve((seen, response) => {
      if (seen.url.startsWith('/end')) xml('<Response/>')(seen, response)
      else response.writeHead(status, { Location: location }).end()
    })

  test.each([301, 302, 303])(
    '%i turns a POST into a GET that still says which call it is',
    async (status) => {
      const server = await redirecting(status, '/end?a=1')
      const answer = await ask({ url: `${server.url}/start` })
      expect(answer).toMatchObject({ kind: 'answered', finalUrl: `${server.url}/end?a=1` })
      expect(server.requests[1]).toMatchObject({
        method: 'GET',
        url: '/end?a=1&CallSid=CA0123&From=%2B19175551234&To=%2B14155551234&CallStatus=ringing',
      })
      expect(server.requests[1] && signatureIsValid(server.requests[1], server.url)).toBe(true)
    },
  )

  test.each([301, 302, 303, 307, 308])('%i of a GET still says which call it is', async (status) => {
    const server = await redirecting(status, '/end?a=1&From=me')
    const answer = await ask({ url: `${server.url}/start`, method: 'GET' })
    expect(answer).toMatchObject({ kind: 'answered', finalUrl: `${server.url}/end?a=1&From=me` })
    expect(server.requests[1]).toMatchObject({
      method: 'GET',
      url: '/end?a=1&From=me&CallSid=CA0123&To=%2B14155551234&CallStatus=ringing',
    })
    expect(server.requests[1] && signatureIsValid(server.requests[1], server.url)).toBe(true)
  })

  test.each([307, 308])('%i posts the same again, signed anew', async (status) => {
    const server = await redirecting(status, '/end')
    await ask({ url: `${server.url}/start` })
    expect(server.requests[1]).toMatchObject({ method: 'POST', url: '/end', params })
    expect(server.requests[1] && signatureIsValid(server.requests[1], server.url)).toBe(true)
  })

  test('credentials of the URL stay with the host that they are for', async () => {
    const other = await serve(xml('<Response/>'), '127.0.0.2')
    const server = await redirecting(302, other.url)
    await ask({ url: server.url.replace('http://', 'http://user:secret@') })
    expect(other.requests[0]?.headers.authorization).toBeUndefined()
  })

  test('five are followed, the sixth is one too many', async () => {
    const server = await serve((seen, response) => {
      const left = Number(seen.url.slice(1))
      if (left === 0) xml('<Response/>')(seen, response)
      else response.writeHead(307, { Location: `/${left - 1}` }).end()
    })
    expect(await ask({ url: `${server.url}/5` })).toMatchObject({ kind: 'answered' })
    expect(await ask({ url: `${server.url}/6` })).toMatchObject({
      kind: 'failed',
      failures: [{ problem: 'The webhook redirected more than 5 times.', code: 11215 }],
    })
  })

  test.each([
    ['file:///etc/passwd', 'The webhook redirected to file:.'],
    ['ftp://example.com/', 'The webhook redirected to ftp:.'],
    ['http://[oops/', 'The webhook redirected to what is no URL.'],
  ])('to %s is not followed', async (location, problem) => {
    const server = await redirecting(302, location)
    expect(await ask({ url: server.url })).toMatchObject({ kind: 'failed', failures: [{ problem }] })
  })
})

describe('failures', () => {
  test('a refused connection is tried twice, then the fallback is asked with what went wrong', async () => {
    const fallback = await serve(xml('<Response><Hangup/></Response>'))
    const answer = await ask({
      url: 'http://127.0.0.1:9/voice',
      fallback: { url: `${fallback.url}/fallback`, method: 'POST' },
    })
    expect(answer).toMatchObject({
      kind: 'answered',
      document: '<Response><Hangup/></Response>',
      failures: [
        { url: 'http://127.0.0.1:9/voice', problem: 'The webhook refused the connection.', code: 11205 },
      ],
    })
    expect(fallback.requests[0]?.params).toEqual({
      ...params,
      ErrorCode: '11205',
      ErrorUrl: 'http://127.0.0.1:9/voice',
    })
  })

  test('when the fallback fails as well, both are told', async () => {
    const fallback = { url: 'http://127.0.0.1:9/b', method: 'GET' as const }
    expect(await ask({ url: 'http://127.0.0.1:9/a', fallback })).toMatchObject({
      kind: 'failed',
      failures: [
        { url: 'http://127.0.0.1:9/a', problem: 'The webhook refused the connection.' },
        { url: 'http://127.0.0.1:9/b', problem: 'The webhook refused the connection.' },
      ],
    })
  })

  test('a connection that breaks before an answer is made once more', async () => {
    let connections = 0
    const server = createServer((socket) => {
      connections++
      socket.on('error', () => {})
      if (connections === 1) socket.resetAndDestroy()
      else
        socket.once('data', () =>
          socket.end('HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 11\r\n\r\n<Response/>'),
        )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    opened.push(server)
    const { port } = server.address() as { port: number }
    expect(await ask({ url: `http://127.0.0.1:${port}/` })).toMatchObject({ kind: 'answered' })
    expect(connections).toBe(2)
  })

  test('a name that does not resolve', async () => {
    expect(await ask({ url: 'http://no-such-host.invalid/' })).toMatchObject({
      kind: 'failed',
      failures: [
        {
          problem: expect.stringMatching(/^The webhook has a host name that does not resolve/),
          code: 11210,
        },
      ],
    })
  })

  test('a certificate that nobody vouches for is not accepted, nor tried twice', async () => {
    const { selfSigned } = await import('./self-signed.ts')
    const { createServer: createTls } = await import('node:https')
    let handshakes = 0
    const server = createTls(selfSigned, (_, response) => response.end('<Response/>'))
    server.on('connection', () => {
      handshakes++
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    opened.push(server)
    const { port } = server.address() as { port: number }
    expect(await ask({ url: `https://127.0.0.1:${port}/` })).toMatchObject({
      kind: 'failed',
      failures: [{ problem: 'The webhook could not be asked (DEPTH_ZERO_SELF_SIGNED_CERT).', code: 11220 }],
    })
    expect(handshakes).toBe(1)
  })

  test('an answer that never comes ends after 15 s in all', async () => {
    const server = await serve(() => {})
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const answering = ask({ url: server.url })
      while (server.requests.length === 0) await new Promise(setImmediate)
      await vi.advanceTimersByTimeAsync(14_900)
      expect(await Promise.race([answering, 'waiting'])).toBe('waiting')
      await vi.advanceTimersByTimeAsync(200)
      expect(await answering).toMatchObject({
        kind: 'failed',
        failures: [{ problem: 'The webhook did not answer in time.', code: 11200 }],
      })
      expect(server.requests).toHaveLength(1)
    } finally {
      vi.useRealTimers()
    }
  })
})
