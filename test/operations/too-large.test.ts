import { once } from 'node:events'
import { Agent, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import type { Platform } from '../../src/platform.ts'
import { createTestPlatform } from '../support/platform.ts'

// On a real connection, since what is tried is what becomes of it.

let platform: Platform
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const servers: Server[] = []
const ports: number[] = []

beforeAll(async () => {
  platform = await createTestPlatform()
  const { publicApp, switchApp } = createApp(platform)
  for (const app of [publicApp, switchApp]) {
    const server = createAdaptorServer({ fetch: app.fetch }) as Server
    await once(server.listen(0, '127.0.0.1'), 'listening')
    servers.push(server)
    ports.push((server.address() as AddressInfo).port)
  }
})
afterAll(async () => {
  agent.destroy()
  for (const server of servers) server.close()
  await platform.database.close()
})

async function post(port: number, path: string, bytes: number, chunked: boolean) {
  const body = Buffer.alloc(bytes, 'x')
  const sent = request({
    ...{ agent, port, path, host: '127.0.0.1', method: 'POST' },
    headers: {
      host: 'api.localhost',
      'content-type': 'application/x-www-form-urlencoded',
      ...(chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': bytes }),
    },
  })
  sent.end(body)
  const [response] = await once(sent, 'response')
  response.resume()
  await once(response, 'end')
  return response.statusCode
}

test.each([
  ['the carrier API', 0, '/carrier/v1/sip_trunks', 401],
  ['the Twilio API', 0, '/2010-04-01/Accounts/x/Calls', 401],
  ['the switch listener', 1, '/freeswitch/xml', 400],
])(
  '%s hears a body that is too large out, and the next request on that connection',
  async (_, which, path, otherwise) => {
    const port = ports[which] ?? 0
    for (const chunked of [false, true, false]) {
      expect(await post(port, path, 8_000_000, chunked)).toBe(413)
      expect(await post(port, path, 10, false)).toBe(otherwise)
    }
    // Nor is the connection cut some time after.
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(await post(port, path, 10, false)).toBe(otherwise)
  },
)
